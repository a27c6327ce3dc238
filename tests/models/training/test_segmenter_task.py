import numpy as np
import pytest
import torch
import yaml

from data.nodule_crops import NoduleCrop
from data.prepared import KnownFinding, PreparedCase, save_case
from data.splits import SplitEntry, SplitManifest
from models.contracts import Candidate
from models.loading import load_segmenter
from models.segment_view import DRAWN_EDGE, EXACT_EDGE
from models.training.segmentation_samples import SegmentationPlan, SegmentationSamples
from models.training.segmenter_task import segmentation_loss
from models.training.train import run_training
from preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.balls import a_ball_volume
from tests.models.training.toy_training import toy_plan

ONLY = {
    name: {**dict.fromkeys(("real", "pasted", "painted", "plain"), 0.0), name: 1.0}
    for name in ("real", "pasted", "painted", "plain")
}


def a_case(uid, *, nodule=False):
    volume, ball = a_ball_volume(9.0, shape_zyx=(40, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    hu = volume.hu if nodule else np.full_like(volume.hu, -850)
    lung = np.full(hu.shape, 0 if nodule else RIGHT_LUNG, np.uint8)
    working = WorkingVolume(hu, lung, np.ones(hu.shape, bool), np.eye(4))
    findings = (KnownFinding((19.5, 19.5, 19.5), 9.0),) if nodule else ()
    mask = np.rint(255 * ball.share).astype(np.uint8) if nodule else None
    return PreparedCase(uid, uid, working, findings, synthetic=False, nodule_mask=mask)


def samples(kind, **changes):
    _, ball = a_ball_volume(9.0, shape_zyx=(9, 40, 40), spacing_mm=(1.0, 1.0, 1.0))
    hu = np.rint(-850 + 890 * ball.share).astype(np.int16)
    finding = KnownFinding((0.0, 0.0, 0.0), 9.0)
    crop = NoduleCrop(finding, "1", "1", hu, ball.share, 1.0)
    plan = SegmentationPlan(**ONLY[kind], **changes)
    return SegmentationSamples([a_case("2")], [crop], plan, length=9, seed=3)


@pytest.mark.parametrize("kind", list(ONLY))
def test_a_sample_depends_on_its_index_alone_and_shows_its_nodule(kind):
    one, other = samples(kind)[4], samples(kind)[4]
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert one["image"].shape == (2, 32, 32, 32)
    edge = EXACT_EDGE if kind in {"painted", "plain"} else DRAWN_EDGE
    known, share = one["known"][edge] > 0, one["share"][edge]
    inside, outside = (share > 0.9) & known, (share < 0.1) & known
    assert inside.sum() > 20
    hu = one["image"][0]
    assert hu[inside].mean() > hu[outside].mean() + 0.1


def test_beyond_the_slices_of_a_real_crop_nothing_is_known():
    known = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]["known"][DRAWN_EDGE]
    slices = (known > 0).any(dim=(1, 2)).sum()
    view_mm = 2.6 * 9 / 32
    assert slices == pytest.approx(9 / view_mm, abs=1.5)


def test_of_a_real_nodule_the_true_edge_is_known_outside_and_deep_inside_alone():
    one = samples("real", jitter_mm=0.0, size_jitter=0.0)[0]
    drawn, exact = one["known"] > 0
    share = one["share"][EXACT_EDGE]
    ring = drawn & (share > 0.4) & (share < 0.6)
    assert ring.any()
    assert not (exact & ring).any()
    assert (exact & (share > 0.9)).any()
    assert (exact & (share == 0)).any()
    painted = samples("painted")[0]["known"]
    assert not painted[DRAWN_EDGE].any()
    assert painted[EXACT_EDGE].all()


def test_what_is_not_known_costs_nothing():
    share = torch.zeros(1, 2, 8, 8, 8)
    share[..., :4] = 1
    known = torch.ones_like(share)
    logits = torch.where(share > 0, 9.0, -9.0)
    perfect = segmentation_loss(logits, {"share": share, "known": known})
    assert perfect["dice"] == 1
    known[..., 6:] = 0
    logits[..., 6:] = 9.0  # wrong, but unknown
    logits.requires_grad_()
    still = segmentation_loss(logits, {"share": share, "known": known})
    still["loss"].backward()
    assert still["dice"] == 1
    assert not logits.grad[..., 6:].any()


def test_a_recipe_becomes_a_model_that_segments(tmp_path):
    for name, nodule in (("lungs", False), ("nodules", True)):
        entries = []
        for fold in range(3):
            uid = f"{name}.{fold}"
            save_case(a_case(uid, nodule=nodule), tmp_path / name / "cases" / uid)
            entry = {"series_uid": uid, "patient_id": uid, "voxels_sha256": uid, "fold": fold}
            entries.append(SplitEntry(case=f"cases/{uid}", **entry))
        dataset = "nodule-crops" if nodule else "ct-table"
        split = SplitManifest(dataset=dataset, folds=3, series=tuple(entries))
        (tmp_path / name / "split.json").write_text(split.model_dump_json())
    settings = {
        "task": "segmenter",
        "name": "toy_segmenter",
        "seed": 1,
        "network": {"channels": [4, 8], "residual_units": 1},
        "sampling": {"hu_window": [-1000, 400]},
        "optimisation": toy_plan(steps=2, batch=2, validation_samples=2).model_dump(),
        "data": {"cases": [str(tmp_path / "lungs")], "nodules": [str(tmp_path / "nodules")]},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(settings))
    manifest = run_training(tmp_path / "recipe.yaml", tmp_path / "out")
    assert manifest.task == "segmenter"
    assert (tmp_path / "out" / "README.md").is_file()
    out = tmp_path / "out"
    segmenter = load_segmenter(out, threads=1)
    volume, _ = a_ball_volume(9.0)
    assert len(segmenter.segment(volume, [Candidate((22.0, 22.0, 22.0), 9.0, 1.0)])) == 1
