"""Lungs are found whole, alone, cut or diseased, in any orientation; other air is not lung."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.phantom.phantom import make_phantom
from hounsfield.data.phantom.settings import SMALL
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.geometry.planar_hulls import planar_hulls
from hounsfield.preprocessing.lungs.morphology import close, dilate, erode, within
from hounsfield.preprocessing.lungs.rejection import lungs_rejection
from hounsfield.preprocessing.lungs.segment import VOXEL_ML, find_lungs
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from hounsfield.preprocessing.working_volume import LEFT_LUNG, OUTSIDE, RIGHT_LUNG
from tests.preprocessing.synthetic_chest import (
    LEFT_CENTRE,
    LUNG_RADII,
    RIGHT_CENTRE,
    SyntheticChest,
    crop,
    reordered,
    value_at,
)

LUNG_ML = 4 / 3 * np.pi * np.prod(LUNG_RADII) / 1000
TRACHEA, CARINA, HEART = (0, -10, 60), (0, -10, -3), (0, 40, -40)


def label_at(lungs, world_mm):
    return value_at(lungs.labels, lungs.affine, world_mm)


def searched_at(lungs, world_mm):
    return value_at(lungs.search_mask, lungs.affine, world_mm)


@pytest.fixture(scope="module")
def chest():
    return SyntheticChest().volume()


def test_both_lungs_are_found_complete_on_their_sides(chest):
    lungs = find_lungs(chest)
    assert label_at(lungs, RIGHT_CENTRE) == RIGHT_LUNG
    assert label_at(lungs, LEFT_CENTRE) == LEFT_LUNG
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((LUNG_ML, LUNG_ML), rel=0.06)
    assert lungs.cut_faces == ()


def test_airway_heart_table_and_outside_air_are_not_lung(chest):
    lungs = find_lungs(chest)
    for place in (TRACHEA, CARINA, HEART, (0, 150, 0), (190, -150, 0)):
        assert label_at(lungs, place) == OUTSIDE
    assert not searched_at(lungs, TRACHEA)


@pytest.mark.parametrize("flipped", [(0,), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("order_zyx", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_sides_are_the_patients_in_every_orientation(chest, order_zyx, flipped):
    """Feet first, prone, coronal, sagittal."""
    lungs = find_lungs(reordered(chest, order_zyx, flipped))
    assert label_at(lungs, RIGHT_CENTRE) == RIGHT_LUNG
    assert label_at(lungs, LEFT_CENTRE) == LEFT_LUNG


@pytest.mark.parametrize(
    ("centre", "radii"),
    [
        ((-105, 0, 20), (20, 25, 25)),  # side wall
        ((-75, 65, 25), (32, 25, 25)),  # back, as the adenocarcinoma of Lung-PET-CT-Dx A0001
        ((-60, -65, 10), (25, 20, 25)),  # front
        ((-25, 5, -25), (18, 18, 18)),  # hilum
        ((-70, 0, 95), (25, 25, 25)),  # apex
    ],
)
def test_a_mass_at_the_pleura_is_inside_the_search_mask(centre, radii):
    chest = SyntheticChest()
    mass = chest.inside(centre, radii) & chest.inside(RIGHT_CENTRE, LUNG_RADII)
    chest.hu[mass] = 40
    volume = chest.volume()
    lungs = find_lungs(volume)
    places = volume.world_mm(np.argwhere(mass)[::7, ::-1])
    searched = [searched_at(lungs, place) for place in places]
    labels = [label_at(lungs, place) for place in places]
    assert np.mean(searched) > 0.95
    assert np.mean(np.equal(labels, RIGHT_LUNG)) > 0.5


def test_fluid_in_the_lower_half_of_a_lung_belongs_to_it():
    chest = SyntheticChest()
    chest.hu[chest.inside(LEFT_CENTRE, LUNG_RADII) & (chest.z < 20)] = 10
    lungs = find_lungs(chest.volume())
    assert label_at(lungs, (70, 0, -50)) == LEFT_LUNG
    assert lungs.left_ml == pytest.approx(LUNG_ML, rel=0.1)
    assert lungs.aerated_ml(LEFT_LUNG) < 0.5 * LUNG_ML


def test_fibrotic_lungs_are_found_complete():
    chest = SyntheticChest()
    ill = chest.inside(RIGHT_CENTRE, LUNG_RADII) & (chest.z < 40) & (chest.hu < -500)
    chest.hu[ill] = -560
    assert find_lungs(chest.volume()).right_ml == pytest.approx(LUNG_ML, rel=0.06)


def test_emphysema_is_not_mistaken_for_bowel_gas():
    chest = SyntheticChest()
    chest.hu[chest.hu == -860] = -945
    lungs = find_lungs(chest.volume())
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((LUNG_ML, LUNG_ML), rel=0.06)


@pytest.mark.parametrize("lung_is", ["absent", "opaque"])
def test_the_side_of_a_missing_lung_is_searched_and_the_other_lung_keeps_its_label(lung_is):
    chest = SyntheticChest(lungs=("right",) if lung_is == "absent" else ("right", "left"))
    chest.hu[chest.inside(LEFT_CENTRE, LUNG_RADII)] = 30
    lungs = find_lungs(chest.volume())
    assert lungs.right_ml == pytest.approx(LUNG_ML, rel=0.06)
    assert lungs.left_ml == 0
    assert searched_at(lungs, LEFT_CENTRE)


def test_a_lone_lung_across_the_midline_is_one_lung():
    chest = SyntheticChest(lungs=())
    chest.paint_lung((-30, -30, 0), (90, 60, 110))
    lungs = find_lungs(chest.volume())
    assert label_at(lungs, (40, -40, 0)) == label_at(lungs, (-90, -30, 0)) == RIGHT_LUNG


def test_lungs_that_touch_in_front_are_separated():
    chest = SyntheticChest()
    chest.paint_lung((0, -70, 20), (60, 14, 60))
    chest.hu[:, :, 100] = np.maximum(chest.hu[:, :, 100], -500)
    lungs = find_lungs(chest.volume())
    assert label_at(lungs, (-12, -70, 20)) == RIGHT_LUNG
    assert label_at(lungs, (12, -70, 20)) == LEFT_LUNG


def test_bowel_gas_is_not_lung():
    chest = SyntheticChest()
    gas = (60, -60, -145)
    chest.paint(gas, (50, 30, 18), -1000)
    lungs = find_lungs(chest.volume())
    assert label_at(lungs, gas) == OUTSIDE
    assert not searched_at(lungs, gas)


def test_lungs_are_found_in_thick_slices(chest):
    affine = chest.affine.copy()
    affine[:3, 2] *= 3
    thick = Volume(chest.hu[::3].copy(), affine, chest.series)
    assert find_lungs(thick).right_ml == pytest.approx(LUNG_ML, rel=0.08)


def test_air_between_arms_and_body_is_not_lung():
    chest = SyntheticChest()
    for side in (-1, 1):
        chest.hu[(np.abs(chest.x - side * 180) < 12) & (np.abs(chest.y) < 60) & (chest.z < 1e4)] = (
            40
        )
    lungs = find_lungs(chest.volume())
    assert lungs.right_ml + lungs.left_ml == pytest.approx(2 * LUNG_ML, rel=0.06)


@pytest.mark.parametrize("shift_hu", [-24, -60, 60, 90])
def test_lungs_are_found_when_all_hu_are_shifted(chest, shift_hu):
    shifted = Volume(chest.hu + np.int16(shift_hu), chest.affine.copy(), chest.series)
    lungs = find_lungs(shifted)
    assert lungs.right_ml + lungs.left_ml == pytest.approx(2 * LUNG_ML, rel=0.08)


def test_faces_that_cut_the_lungs_are_reported(chest):
    lungs = find_lungs(crop(chest, z=slice(30, 80)))
    assert lungs.cut_faces == ("foot", "head")
    assert min(lungs.cut_area_cm2) > 100


def test_the_lung_in_a_field_of_view_of_half_a_chest_is_found(chest):
    lungs = find_lungs(crop(chest, y=slice(35, 125), x=slice(20, 70)))
    assert "left" in lungs.cut_faces
    assert label_at(lungs, (-90, 0, 0)) == RIGHT_LUNG
    assert lungs.left_ml == 0


def test_a_box_inside_a_lung_is_lung(chest):
    lungs = find_lungs(crop(chest, z=slice(40, 70), y=slice(60, 110), x=slice(45, 80)))
    assert len(lungs.cut_faces) == 6
    assert label_at(lungs, (-70, 0, 0)) == RIGHT_LUNG


def test_a_round_field_of_view_that_cuts_the_lungs_keeps_them(chest):
    rows, columns = np.ogrid[:160, :200]
    hu = chest.hu.copy()
    hu[:, (rows - 80) ** 2 + (columns - 100) ** 2 > 54**2] = -1000
    lungs = find_lungs(Volume(hu, chest.affine.copy(), chest.series))
    assert label_at(lungs, RIGHT_CENTRE) == RIGHT_LUNG
    assert label_at(lungs, LEFT_CENTRE) == LEFT_LUNG
    assert searched_at(lungs, (-90, 0, 0))
    assert lungs.cut_faces == ("circle",)


def test_a_chest_series_without_lungs_fails():
    with pytest.raises(SeriesError, match="No lungs in a series with BodyPartExamined") as caught:
        find_lungs(SyntheticChest(lungs=()).volume())
    assert caught.value.reason is Reason.LUNGS_NOT_FOUND


def test_another_series_without_lungs_is_not_a_chest():
    abdomen = SyntheticChest(lungs=())
    abdomen.paint((60, -60, -100), (50, 30, 18), -1000)
    with pytest.raises(SeriesError, match="Not a chest CT") as caught:
        find_lungs(abdomen.volume(facts=SeriesFacts("1", "2", body_part_examined="ABDOMEN")))
    assert caught.value.reason is Reason.NOT_CHEST


@pytest.mark.parametrize("value", [-1000, 0, 3000])
def test_a_constant_series_has_no_lungs(value):
    empty = Volume(
        np.full((20, 64, 64), value, np.int16), np.diag([5.0, 5, 5, 1]), SeriesFacts("1", "2")
    )
    with pytest.raises(SeriesError):
        find_lungs(empty)


@pytest.mark.parametrize(("seed", "arms", "emphysema"), [(1, "down", 0.0), (6, "up", 0.5)])
def test_a_phantoms_lungs_and_nodules_are_found(seed, arms, emphysema):
    """Seed 1 has a mass of 62 mm."""
    settings = replace(SMALL, arms=arms, emphysema=emphysema)
    phantom = make_phantom(seed, settings=settings)
    lungs = find_lungs(phantom.volume)
    for label, found_ml in ((RIGHT_LUNG, lungs.right_ml), (LEFT_LUNG, lungs.left_ml)):
        voxel_ml = np.prod(phantom.volume.spacing_mm) / 1000
        true_ml = np.count_nonzero(phantom.lung_labels == label) * voxel_ml
        assert found_ml == pytest.approx(true_ml, rel=0.12)
    places = phantom.volume.world_mm(np.argwhere(phantom.lung_labels)[::499, ::-1])
    assert np.mean([searched_at(lungs, place) for place in places]) > 0.998
    assert all(searched_at(lungs, nodule.centre_world_mm) for nodule in phantom.nodules)


def test_dilation_and_erosion_equal_scipys():
    mask = np.random.default_rng(0).random((9, 10, 11)) < 0.3
    assert np.array_equal(dilate(mask), ndimage.binary_dilation(mask))
    assert np.array_equal(erode(~mask), ndimage.binary_erosion(~mask, border_value=1))


def test_within_measures_distance_to_about_a_voxel():
    ball = np.zeros((41, 41, 41), dtype=bool)
    ball[18:23, 18:23, 18:23] = True
    exact = ndimage.distance_transform_edt(~ball)
    found = within(ball, 8)
    assert found[exact <= 6.5].all()
    assert not found[exact > 9.5].any()


def test_closing_fills_a_notch_and_keeps_a_wide_bay():
    mask = np.zeros((40, 60, 60), dtype=bool)
    mask[5:35, 5:55, 5:55] = True
    mask[15:25, 5:15, 25:33] = False
    mask[:, 35:55, 30:55] = False
    closed = close(mask, 6)
    assert closed[mask].all()
    assert closed[20, 8, 29]
    assert not closed[20, 48, 48]


def test_planar_hulls_fill_the_convex_hull_of_each_plane_only():
    mask = np.zeros((3, 20, 20), dtype=bool)
    mask[1, 2, 3] = mask[1, 2, 16] = mask[1, 17, 3] = True
    hull = planar_hulls(mask)
    assert hull[1][mask[1]].all()
    assert hull[1, 8, 6]
    assert not hull[1, 14, 14]
    assert not hull[0].any()
    assert np.array_equal(planar_hulls(mask.transpose(1, 0, 2), axis=1), hull.transpose(1, 0, 2))


def test_a_spacing_that_makes_the_patient_too_large_is_refused(chest):
    affine = chest.affine.copy()
    affine[:3, :3] *= 100
    with pytest.raises(SeriesError, match="no patient is so large") as caught:
        find_lungs(Volume(chest.hu[:8, :16, :16].copy(), affine, chest.series))
    assert caught.value.reason is Reason.IMPOSSIBLE_SIZE


def test_lungs_of_30_litres_are_no_patients():
    lungs = np.ones((20, 30, 50), bool)
    assert lungs_rejection(lungs, voxel_ml=0.4, cut_cm2=0, body_part_examined="") is None
    error = lungs_rejection(lungs, voxel_ml=1.0, cut_cm2=0, body_part_examined="")
    assert error.reason is Reason.IMPOSSIBLE_SIZE
    assert "30 litres of lung" in error.message


@pytest.mark.parametrize(
    ("body_part", "reason"), [("", Reason.NOT_CHEST), ("CHEST", Reason.LUNGS_NOT_FOUND)]
)
def test_a_region_open_to_the_edge_of_the_field_of_view_is_not_lung(body_part, reason):
    lungs = np.zeros((60, 60, 60), bool)
    lungs[10:40, 10:40, 10:20] = True
    lung_ml = np.count_nonzero(lungs) * VOXEL_ML  # 243

    def rejection(cut_cm2):
        return lungs_rejection(
            lungs, voxel_ml=VOXEL_ML, cut_cm2=cut_cm2, body_part_examined=body_part
        )

    assert rejection(0.7 * lung_ml) is None
    error = rejection(0.9 * lung_ml)
    assert error.reason is reason
    assert "open to the edge of the field of view" in error.message
