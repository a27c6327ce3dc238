"""The working grid is upright and isotropic, surrounds the lungs, and keeps positions."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from hounsfield.preprocessing.geometry.reorient import upright_view
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.volume import Volume
from hounsfield.preprocessing.working_grid import normalise_hu, to_working_volume
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG
from tests.preprocessing.synthetic_chest import SyntheticChest, reordered, value_at

NODULE = (-60.0, 20.0, 30.0)


@pytest.fixture(scope="module")
def volume():
    chest = SyntheticChest()
    chest.paint(NODULE, (12, 12, 12), 300)
    return chest.volume(noise_hu=5)


@pytest.fixture(scope="module")
def working(volume):
    return to_working_volume(volume, find_lungs(volume), spacing_mm=2.0)


def test_the_grid_is_upright_and_isotropic(working):
    assert np.allclose(working.affine[:3, :3], 2 * np.eye(3))
    assert working.hu.shape == working.lung_labels.shape == working.search_mask.shape


def test_a_position_keeps_its_value_on_the_working_grid(working):
    assert value_at(working.hu, working.affine, NODULE) == pytest.approx(300, abs=20)
    centre = np.argwhere(working.hu > 200)[:, ::-1].mean(axis=0)
    assert working.world_mm(centre) == pytest.approx(NODULE, abs=0.5)


def test_the_masks_are_on_the_same_grid(working):
    assert value_at(working.lung_labels, working.affine, (-70, 0, 0)) == RIGHT_LUNG
    assert value_at(working.lung_labels, working.affine, (70, 0, 0)) == LEFT_LUNG
    assert value_at(working.search_mask, working.affine, NODULE)
    assert not working.search_mask[working.lung_labels == 0].all()
    assert working.search_mask[working.lung_labels > 0].mean() > 0.999


def test_the_box_keeps_its_margin_around_the_search_mask(volume):
    lungs = find_lungs(volume)
    wide = to_working_volume(volume, lungs, spacing_mm=2.0, margin_mm=20)
    indices = np.argwhere(wide.search_mask)
    room_mm = 2.0 * np.minimum(indices.min(axis=0), wide.hu.shape - indices.max(axis=0))
    assert room_mm.min() >= 16
    assert wide.hu.size < 0.6 * np.prod(volume.shape_zyx) * 12 / 8


def test_the_box_ends_where_the_series_ends(volume):
    everything = to_working_volume(volume, find_lungs(volume), spacing_mm=3.0, margin_mm=1000)
    last = np.asarray(everything.hu.shape[::-1]) - 1
    corners = volume.voxel_xyz(everything.world_mm([np.zeros(3), last]))
    assert (corners > -1e-6).all()
    assert (corners < np.asarray(volume.shape_zyx[::-1]) - 1 + 1e-6).all()


@pytest.mark.parametrize("order_zyx", list(permutations(range(3))))
def test_every_orientation_gives_the_same_working_volume(volume, working, order_zyx):
    stored = reordered(volume, order_zyx, flipped=(0, 2))
    again = to_working_volume(stored, find_lungs(stored), spacing_mm=2.0)
    assert np.allclose(again.affine, working.affine)
    assert np.array_equal(again.lung_labels, working.lung_labels)
    assert np.abs(again.hu.astype(int) - working.hu).max() <= 1


def test_an_oblique_series_keeps_its_rotation(volume):
    turn = np.radians(20)
    rotation = np.eye(4)
    rotation[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    oblique = type(volume)(volume.hu.copy(), rotation @ volume.affine, volume.series)
    hu, affine = upright_view(oblique)
    assert np.array_equal(hu, volume.hu)
    assert np.allclose(affine, rotation @ volume.affine)
    turned = to_working_volume(oblique, find_lungs(oblique), spacing_mm=2.0)
    assert value_at(turned.hu, turned.affine, (rotation[:3, :3] @ NODULE)) == pytest.approx(
        300, abs=20
    )


@pytest.mark.parametrize("slices_mm", [0.7, 0.9, 1.1, 1.9, 2.1])
def test_an_affine_rounded_to_float32_has_the_same_grids(volume, slices_mm):
    affine = volume.affine.copy()
    affine[2, 2] = slices_mm
    shapes = []
    for rounded in (affine, affine.astype(np.float32).astype(np.float64)):
        # 105 slices, so that the middle of a voxel of 3 mm is the end of the stack
        stored = Volume(volume.hu[:105], rounded, volume.series)
        lungs = find_lungs(stored)
        working = to_working_volume(stored, lungs, spacing_mm=slices_mm, margin_mm=1000)
        shapes.append((lungs.hu.shape, working.hu.shape))
    assert shapes[0] == shapes[1]


def test_hu_windows_map_to_zero_and_one_and_clip():
    hu = np.array([-2000, -1000, -300, 400, 3000], dtype=np.int16)
    found = normalise_hu(hu, (-1000, 400))
    assert found.dtype == np.float32
    assert found == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_window_with_low_above_high_is_refused():
    with pytest.raises(ValueError, match="window must be"):
        normalise_hu(np.zeros(1, dtype=np.int16), (400, -1000))


def test_a_spacing_of_zero_is_refused(volume):
    with pytest.raises(ValueError, match="spacing_mm must be above 0"):
        to_working_volume(volume, find_lungs(volume), spacing_mm=0)
