"""Accuracy of the classifier's out-of-distribution test on spoilt and abdominal views.

Run as ``python -m benchmarks.out_of_distribution CONFIG UNSEEN SERIES...``. Views in distribution
show the nodules of the test fold of the training configuration CONFIG, inserted into the prepared
series of UNSEEN, whose patients are in no training data. Views out of distribution are the same
ones shuffled and inverted, and places in the upper abdomen of the CT series in the folders SERIES.
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
NODULES_PER_SCAN = 12
PLACES_PER_SERIES = 40
BELOW_MM, TISSUE_HU = 15.0, -150


def main() -> None:
    """Prints the AUROC of each kind of spoilt view, and the fraction that the test finds."""
    if len(sys.argv) < 4:
        print("not run: needs a training configuration, a prepared folder and CT series")
        return
    manifest = read_manifest(model_folder(load_config().models.classifier))
    distribution = manifest.training_distribution
    if distribution is None:
        print("not run: the classifier's manifest has no training distribution")
        return
    nodules = read_nodules(read_training_config(Path(sys.argv[1])).data, "test")
    folder = Path(sys.argv[2])
    cases = [load_case(folder / entry.case) for entry in read_split(folder).series]
    inside = normalise_hu(np.stack(list(_nodule_places(cases, nodules))), manifest.hu_window)
    abdomen = [view for path in sys.argv[3:] for view in _abdominal_places(Path(path))]
    if not abdomen:
        print("not run: none of the series reaches below the lungs")
        return
    outside = {
        "shuffled": _shuffled(inside),
        "inverted": 1 - inside,
        "abdominal": normalise_hu(np.stack(abdomen), manifest.hu_window),
    }
    limit = distribution.max_distance
    inside_distances = mahalanobis_distances(inside, distribution)
    rejected = np.mean(inside_distances > limit)
    print(f"{len(inside)} nodules, {rejected:.1%} of them called out of distribution")
    for name, views in outside.items():
        distances = mahalanobis_distances(views, distribution)
        auroc = mannwhitneyu(distances, inside_distances).statistic / (
            len(distances) * len(inside_distances)
        )
        found = np.mean(distances > limit)
        print(f"{name:10} {len(views):4} views: AUROC {auroc:.3f}, {found:.1%} found")


def _nodule_places(
    cases: Sequence[PreparedCase], nodules: Sequence[NoduleCrop]
) -> Iterator[NDArray[np.int16]]:
    """Views of every nodule inserted into lungs, and of the nodules that are in them anyway."""
    rng = np.random.default_rng(SEED)
    for case in cases:
        for first in range(0, len(nodules), NODULES_PER_SCAN):
            chosen = nodules[first : first + NODULES_PER_SCAN]
            volume, inserted = insert_nodules(case, chosen, rng)
            own = [finding for finding in case.findings if not finding.ignored and first == 0]
            for finding in (*own, *inserted):
                centre_zyx = volume.voxel_xyz(finding.centre_world_mm)[::-1].tolist()
                yield nodule_views(volume.hu, volume.spacing_mm, centre_zyx)


def _abdominal_places(path: Path) -> Iterator[NDArray[np.int16]]:
    """Views of random places in soft tissue below the lungs."""
    for series in discover([path]).series:
        if series.rejection is not None:
            continue
        volume = read_volume(series)
        lungs = find_lungs(volume)
        z, y, x = np.nonzero(lungs.labels)
        lowest_mm = _lowest_mm(lungs.affine, np.stack([x, y, z], axis=1))
        rng = np.random.default_rng(SEED)
        tissue = np.argwhere(volume.hu > TISSUE_HU)
        heights = volume.world_mm(tissue[:, ::-1])[:, 2]
        tissue = tissue[heights < lowest_mm - BELOW_MM]
        for _ in range(PLACES_PER_SERIES if len(tissue) else 0):
            place = tissue[int(rng.integers(len(tissue)))]
            yield nodule_views(volume.hu, volume.spacing_mm, place.tolist())


def _lowest_mm(affine: NDArray[np.float64], voxels_xyz: NDArray[np.intp]) -> float:
    """Lowest z of voxels, in LPS mm."""
    return float((voxels_xyz @ affine[2, :3] + affine[2, 3]).min())


def _shuffled(views: NDArray[np.float32]) -> NDArray[np.float32]:
    """Views with their voxels in random order."""
    flat = views.reshape(*views.shape[:2], -1)
    mixed = np.random.default_rng(SEED).permuted(flat, axis=2)
    return mixed.reshape(views.shape)


if __name__ == "__main__":
    main()
