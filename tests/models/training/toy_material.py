"""Prepared lungs and nodules of a few voxels, and a recipe that trains on them in a second."""

import numpy as np
import yaml

from hounsfield.data.prepared.case import KnownFinding, PreparedCase, save_case
from hounsfield.data.prepared.splits import SplitEntry, SplitManifest
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.balls import a_ball_volume
from tests.models.training.toy_training import toy_plan

FOLDS = 3


def a_case(uid, *, nodule=False):
    volume, ball = a_ball_volume(9.0, shape_zyx=(40, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    hu = volume.hu if nodule else np.full_like(volume.hu, -850)
    lung = np.full(hu.shape, 0 if nodule else RIGHT_LUNG, np.uint8)
    working = WorkingVolume(hu, lung, np.ones(hu.shape, bool), np.eye(4))
    findings = (KnownFinding((19.5, 19.5, 19.5), 9.0),) if nodule else ()
    mask = np.rint(255 * ball.fraction).astype(np.uint8) if nodule else None
    return PreparedCase(uid, uid, working, findings, synthetic=False, nodule_mask=mask)


def a_segmenter_recipe(folder, **changes):
    """Writes material of three folds, one case each, and a recipe; gives the recipe's path."""
    for name, nodule in (("lungs", False), ("nodules", True)):
        entries = []
        for fold in range(FOLDS):
            uid = f"{name}.{fold}"
            save_case(a_case(uid, nodule=nodule), folder / name / "cases" / uid)
            entry = {"series_uid": uid, "patient_id": uid, "voxels_sha256": uid, "fold": fold}
            entries.append(SplitEntry(case=f"cases/{uid}", **entry))
        dataset = "nodule-crops" if nodule else "ct-table"
        split = SplitManifest(dataset=dataset, folds=FOLDS, series=tuple(entries))
        (folder / name / "split.json").write_text(split.model_dump_json())
    settings = {
        "task": "segmenter",
        "name": "toy_segmenter",
        "seed": 1,
        "network": {"channels": [4, 8], "residual_units": 1},
        "sampling": {"hu_window": [-1000, 400]},
        "optimisation": toy_plan(steps=2, batch=2, validation_samples=2).model_dump(),
        "data": {"cases": [str(folder / "lungs")], "nodules": [str(folder / "nodules")]},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(settings | changes))
    return path
