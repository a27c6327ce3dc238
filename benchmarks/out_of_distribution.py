"""How well the classifier knows what it was not trained on: spoilt and abdominal views.

Run as ``python -m benchmarks.out_of_distribution RECIPE UNSEEN SERIES...``: nodules of the test
fold are put into the prepared series of UNSEEN, whose patients are in no training; these are the
true findings. Against them: the same views shuffled, inverted, and places in the upper abdomen of
the CT series of the folders SERIES.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import mannwhitneyu

from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.splits import read_split
from hounsfield.models.inference.out_of_distribution import mahalanobis_distances
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.models.training.augmentation.insertion import insert_nodules
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.material import read_nodules
from hounsfield.models.views.close_and_wide import nodule_views
from hounsfield.pipeline.config import load_config
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop

SEED = 11
NODULES_A_SCAN = 12
PLACES_A_SERIES = 40
BELOW_MM, TISSUE_HU = 15.0, -150


def main() -> None:
    """Prints the AUROC of each kind of strange view, and how many are called strange."""
    if len(sys.argv) < 4:
        print("not run: it needs a recipe, a prepared folder and CT series, see its docstring")
        return
    manifest = read_manifest(model_folder(load_config().models.classifier))
    if manifest.training_distribution is None:
        print("not run: the classifier knows nothing of what it was trained on")
        return
    nodules = read_nodules(read_training_config(Path(sys.argv[1])).data, "test")
    folder = Path(sys.argv[2])
    cases = [load_case(folder / entry.case) for entry in read_split(folder).series]
    true = normalise_hu(np.stack(list(nodule_places(cases, nodules))), manifest.hu_window)
    abdomen = [view for path in sys.argv[3:] for view in abdominal_places(Path(path))]
    if not abdomen:
        print("not run: none of the series shows anything below the lungs")
        return
    strange = {
        "shuffled": shuffled(true),
        "inverted": 1 - true,
        "abdominal": normalise_hu(np.stack(abdomen), manifest.hu_window),
    }
    limit = manifest.training_distribution.limit
    of_true = mahalanobis_distances(true, manifest.training_distribution)
    print(f"{len(true)} true findings, {np.mean(of_true > limit):.1%} of them called strange")
    for name, views in strange.items():
        found = mahalanobis_distances(views, manifest.training_distribution)
        area = mannwhitneyu(found, of_true).statistic / (len(found) * len(of_true))
        called = np.mean(found > limit)
        print(f"{name:10} {len(views):4} views: AUROC {area:.3f}, {called:.1%} called strange")


def nodule_places(
    cases: Sequence[PreparedCase], nodules: Sequence[NoduleCrop]
) -> Iterator[NDArray[np.int16]]:
    """Views of every nodule, put into lungs, and of the nodules that these hold."""
    rng = np.random.default_rng(SEED)
    for case in cases:
        for first in range(0, len(nodules), NODULES_A_SCAN):
            chosen = nodules[first : first + NODULES_A_SCAN]
            volume, inserted = insert_nodules(case, chosen, rng)
            own = [one for one in case.findings if not one.ignored and first == 0]
            for finding in (*own, *inserted):
                at = volume.voxel_xyz(finding.centre_world_mm)[::-1].tolist()
                yield nodule_views(volume.hu, volume.spacing_mm, at)


def abdominal_places(path: Path) -> Iterator[NDArray[np.int16]]:
    """Views of random places in soft tissue below the lungs."""
    for series in discover([path]).series:
        if series.rejection is not None:
            continue
        volume = read_volume(series)
        lungs = find_lungs(volume)
        z, y, x = np.nonzero(lungs.labels)
        lowest_mm = volume_bottom_mm(lungs.affine, np.stack([x, y, z], axis=1))
        rng = np.random.default_rng(SEED)
        tissue = np.argwhere(volume.hu > TISSUE_HU)
        heights = volume.world_mm(tissue[:, ::-1])[:, 2]
        tissue = tissue[heights < lowest_mm - BELOW_MM]
        for _ in range(PLACES_A_SERIES if len(tissue) else 0):
            place = tissue[int(rng.integers(len(tissue)))]
            yield nodule_views(volume.hu, volume.spacing_mm, place.tolist())


def volume_bottom_mm(affine: NDArray[np.float64], voxels_xyz: NDArray[np.intp]) -> float:
    """The lowest z of some voxels, in LPS mm."""
    return float((voxels_xyz @ affine[2, :3] + affine[2, 3]).min())


def shuffled(views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each view with its voxels in any order."""
    flat = views.reshape(*views.shape[:2], -1)
    mixed = np.random.default_rng(SEED).permuted(flat, axis=2)
    return mixed.reshape(views.shape)


if __name__ == "__main__":
    main()
