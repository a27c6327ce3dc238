import numpy as np
import pytest
from scipy import ndimage

from hounsfield.models.contracts import Segmentation
from hounsfield.models.inference.outlines import SegmentedNodule
from hounsfield.models.measurements.density import (
    Density,
    Texture,
    density_of,
    inside_rim,
    is_above,
)
from hounsfield.models.measurements.margin import Margin, margin_of, solidity
from hounsfield.models.measurements.nodule import measure
from hounsfield.models.measurements.pleura import MAX_DISTANCE_MM, pleura_distance_mm
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume
from tests.models.balls import SPACING_MM, a_ball_volume, ellipsoid_fraction


def measured_on(volume, boundary, reader_style=None):
    reader_style = reader_style or boundary
    nodule = SegmentedNodule(boundary, reader_style, density_of(reader_style, volume))
    return measure(nodule, volume)


def with_solid_core(volume, core):
    hu = np.where(core.fraction >= 0.5, 30, volume.hu).astype(np.int16)
    return type(volume)(hu, volume.affine, volume.series)


@pytest.mark.parametrize(
    ("inside_hu", "texture"),
    [(40, Texture.SOLID), (-600, Texture.NON_SOLID), (500, Texture.CALCIFIED)],
)
def test_a_ball_of_one_density_has_its_texture_and_hu(inside_hu, texture):
    volume, segmentation = a_ball_volume(12.0, inside_hu=inside_hu)
    measured = measured_on(volume, segmentation)
    assert measured.texture is texture
    assert measured.mean_diameter_mm == pytest.approx(12.0, abs=0.4)
    assert measured.mean_hu == pytest.approx(inside_hu, abs=0.1 * abs(inside_hu + 850))
    assert measured.margin is Margin.SMOOTH
    assert measured.solid_part_mm is None
    assert measured.pleura_distance_mm is None


def test_the_solid_part_of_a_part_solid_nodule_is_measured():
    volume, segmentation = a_ball_volume(16.0, inside_hu=-600)
    _, core = a_ball_volume(9.0)
    measured = measured_on(with_solid_core(volume, core), segmentation)
    assert measured.texture is Texture.PART_SOLID
    assert measured.solid_part_mm == pytest.approx(9.0, abs=0.7)
    assert measured.as_mapping()["texture"] == "part_solid"


def test_the_texture_is_that_of_the_reader_style_segmentation():
    volume, reader_style = a_ball_volume(16.0, inside_hu=-600)
    _, core = a_ball_volume(9.0)
    part_solid = with_solid_core(volume, core)
    assert measured_on(part_solid, core, reader_style).texture is Texture.PART_SOLID
    inside_core = measured_on(part_solid, core)
    assert inside_core.texture is Texture.SOLID
    assert inside_core.mean_diameter_mm == pytest.approx(9.0, abs=0.4)


def test_a_voxel_is_above_a_threshold_where_the_median_of_nine_pixels_is():
    hu = np.random.default_rng(0).integers(-900, 500, (3, 20, 25)).astype(np.int16)
    median = ndimage.median_filter(hu, size=(1, 3, 3))
    for threshold_hu in (-300.0, 200.0):
        np.testing.assert_array_equal(is_above(hu, threshold_hu), median > threshold_hu)


@pytest.mark.parametrize("diameter_mm", [3.0, 20.0])
def test_voxels_inside_the_rim_are_deeper_than_the_rim(diameter_mm):
    _, ball = a_ball_volume(14.0)
    depth_mm = ndimage.distance_transform_edt(ball.mask, sampling=SPACING_MM[::-1])
    inner = inside_rim(ball.mask, SPACING_MM, diameter_mm)
    np.testing.assert_array_equal(inner, depth_mm >= min(1.2, diameter_mm / 4))


def test_texture_changes_at_its_thresholds():
    assert Density(0.149, 0).texture is Texture.NON_SOLID
    assert Density(0.15, 0).texture is Texture.PART_SOLID
    assert Density(0.60, 0).texture is Texture.SOLID
    assert Density(0.60, 0.05).texture is Texture.CALCIFIED


def test_a_star_has_a_lower_solidity_than_an_ellipse():
    fraction = ellipsoid_fraction((4, 60, 60), (1.0,) * 3, (1.5, 30.0, 30.0), (30.0, 20.0, 20.0))
    ball = solidity(fraction, (1.0, 1.0, 1.0))
    y, x = np.mgrid[:60, :60] - 30.0
    star = (np.hypot(x, y) < 14 + 8 * np.cos(7 * np.arctan2(y, x))).astype(np.float32)[None]
    assert ball > 0.97
    assert solidity(star, (1.0, 1.0, 1.0)) < 0.75
    assert margin_of(ball) is Margin.SMOOTH
    assert margin_of(0.75) is Margin.SPICULATED


@pytest.mark.parametrize(
    ("gap_mm", "expected_mm"), [(8.0, 8.0), (0.0, 0.0), (40.0, MAX_DISTANCE_MM)]
)
def test_the_pleura_distance_is_the_lung_between_nodule_and_surface_up_to_its_maximum(
    gap_mm, expected_mm
):
    volume, segmentation = a_ball_volume(
        10.0, shape_zyx=(60, 110, 110), spacing_mm=(1.0,) * 3, parts=1
    )
    labels = np.full(volume.hu.shape, RIGHT_LUNG, np.uint8)
    labels[:, :, round(54.5 + 5 + gap_mm) + 1 :] = 0
    working = WorkingVolume(volume.hu, labels, labels > 0, volume.affine)
    assert pleura_distance_mm(segmentation, volume, working) == pytest.approx(expected_mm, abs=1.0)


def test_a_nodule_without_a_voxel_that_is_half_nodule_is_not_measured():
    volume, _ = a_ball_volume(10.0)
    faint = Segmentation((3, 3, 3), np.full((2, 2, 2), 0.3, np.float32))
    assert measured_on(volume, faint) is None
    assert measure(SegmentedNodule(), volume) is None
