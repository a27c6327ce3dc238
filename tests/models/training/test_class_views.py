"""What the classifier is shown in training has the size that it has in a run."""

import numpy as np
import pytest

from models.nodule_views import VIEW_VOXELS
from models.training.class_views import CUBE_VOXELS, Cube, varied_views

MIDDLE_ZYX = np.full(3, (CUBE_VOXELS - 1) / 2)
WINDOW = (-1000.0, 400.0)


def a_mass(diameter_mm):
    away = np.sqrt(((np.indices((CUBE_VOXELS,) * 3) - MIDDLE_ZYX[:, None, None, None]) ** 2).sum(0))
    hu = np.where(away < diameter_mm / 2, 50.0, -900.0).astype(np.float32)
    return Cube(hu, np.zeros(3, np.int64), np.zeros((1, 1, 1), np.uint8))


@pytest.mark.parametrize("turns", [False, True])
@pytest.mark.parametrize(
    ("diameter_mm", "voxels_across"), [(12.0, 12.0), (40.0, 40 / 2.2), (80.0, 80 / 3.5)]
)
def test_a_mass_fills_its_part_of_the_close_view(diameter_mm, voxels_across, turns):
    cube, across = a_mass(diameter_mm), []
    for seed in range(5 if turns else 1):
        views = varied_views(
            cube,
            MIDDLE_ZYX,
            diameter_mm,
            WINDOW,
            turns=turns,
            degrades=False,
            rng=np.random.default_rng(seed),
        )
        assert views.shape == (2, *(VIEW_VOXELS,) * 3)
        dense = [np.count_nonzero(view > 0.4) for view in views]
        across.append((6 / np.pi * np.array(dense)) ** (1 / 3) * (1.0, 4.0))
    close, wide_mm = np.median(across, axis=0)
    assert close == pytest.approx(voxels_across, rel=0.15 if turns else 0.03)
    assert wide_mm == pytest.approx(diameter_mm, rel=0.2)
