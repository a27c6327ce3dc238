"""A volume is immutable, and made from the caller's data without changing them."""

import numpy as np
import pytest
import SimpleITK

from hounsfield.preprocessing.codes import NoticeCode
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from tests.preprocessing.volumes import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    PRONE,
    SAGITTAL,
    make_volume,
    rotation,
)

AFFINE = np.diag([0.7, 0.8, 2.5, 1.0])


def sitk_image(values, directions=AXIAL):
    image = SimpleITK.GetImageFromArray(values)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-170.5, 33.25, -712.0))
    image.SetDirection(np.ravel(directions).tolist())
    return image


def ramp(dtype=np.int16):
    return (np.arange(3 * 4 * 5) * 20 - 600).reshape(3, 4, 5).astype(dtype)


def test_a_volume_cannot_be_written_to():
    volume = make_volume()
    for array in (volume.hu, volume.affine):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_the_constructor_copies_nothing_and_leaves_the_callers_arrays_writeable():
    hu, affine = ramp(), AFFINE.copy()
    volume = Volume(hu=hu, affine=affine, series=SeriesFacts("1", "2"))
    assert np.shares_memory(volume.hu, hu)
    assert hu.flags.writeable
    assert affine.flags.writeable


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8, np.float32, np.float64])
def test_an_array_of_any_numeric_type_becomes_a_volume(dtype):
    values = np.abs(ramp(np.int64)).astype(dtype)
    volume = Volume.from_array(values, AFFINE)
    assert volume.hu.dtype == np.int16
    np.testing.assert_array_equal(volume.hu, values)
    assert volume.spacing_mm == pytest.approx((0.7, 0.8, 2.5))


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_the_callers_data_are_neither_changed_nor_shared(dtype):
    values, affine = ramp(dtype), AFFINE.copy()
    values[0, 0, 0] = -3024  # padding
    before = values.copy()
    volume = Volume.from_array(values, affine)
    np.testing.assert_array_equal(values, before)
    values += 1
    affine += 1
    assert volume.hu[0, 0, 0] == -1000
    np.testing.assert_array_equal(volume.hu.ravel()[1:], before.ravel()[1:])
    np.testing.assert_array_equal(volume.affine, AFFINE)


def test_fractions_are_rounded_and_padding_becomes_air_with_a_notice():
    volume = Volume.from_array([[[-2000.0, -1024.4, 0.6]]], AFFINE)
    assert volume.hu.tolist() == [[[-1000, -1024, 1]]]
    [notice] = volume.notices
    assert notice.code is NoticeCode.PADDING_REPLACED
    assert notice.numbers["voxels"] == 1


def test_nan_that_reaches_the_edge_is_padding():
    values = ramp(np.float32)
    values[:, :, :2] = np.nan
    volume = Volume.from_array(values, AFFINE)
    assert set(volume.hu[:, :, :2].ravel()) == {-1000}
    np.testing.assert_array_equal(volume.hu[:, :, 2:], ramp()[:, :, 2:])
    [notice] = volume.notices
    assert (notice.code, notice.numbers["voxels"]) == (NoticeCode.PADDING_REPLACED, 24)


def test_a_view_with_any_strides_becomes_c_ordered():
    values = ramp().transpose(2, 1, 0)[::-1]
    volume = Volume.from_array(values, AFFINE)
    assert volume.hu.flags.c_contiguous
    np.testing.assert_array_equal(volume.hu, values)


def test_identifiers_are_the_callers_or_a_placeholder():
    facts = SeriesFacts("1.2", "1.2.3", patient_id="P1")
    assert Volume.from_array(ramp(), AFFINE, series=facts).series == facts
    assert Volume.from_array(ramp(), AFFINE).series.series_uid == "array"


def test_an_affine_that_shears_within_rounding_is_accepted():
    affine = np.eye(4)
    affine[:3, :3] = np.round(rotation(20, -15, 30), 4) * (0.7, 0.8, 2.5)
    assert Volume.from_array(ramp(), affine).spacing_mm == pytest.approx((0.7, 0.8, 2.5), rel=1e-3)


SHEARED = AFFINE + np.array([[0, 0.2, 0, 0], *[[0.0] * 4] * 3])
PERSPECTIVE = AFFINE + np.array([*[[0.0] * 4] * 3, [0, 0, 0.1, 0]])
UNPOSITIONED = AFFINE + np.array([[0, 0, 0, np.nan], *[[0.0] * 4] * 3])


@pytest.mark.parametrize(
    ("values", "affine", "words"),
    [
        (np.zeros((4, 5)), AFFINE, r"\[z, y, x\]"),
        (np.zeros((0, 4, 5)), AFFINE, "with voxels"),
        (np.zeros((3, 4, 5), bool), AFFINE, "integers or floats, got bool"),
        (np.zeros((3, 4, 5), complex), AFFINE, "integers or floats"),
        (np.full((3, 4, 5), np.nan), AFFINE, "got 60 that are NaN"),
        (np.pad([[[np.nan]]], 1), AFFINE, "got 1 that are NaN"),
        (np.full((3, 4, 5), -np.inf), AFFINE, "HU must lie in"),
        (np.full((3, 4, 5), 40000), AFFINE, "HU must lie in"),
        (ramp(), np.eye(3), "4 x 4"),
        (ramp(), PERSPECTIVE, "last row"),
        (ramp(), AFFINE * (1, 1, 0, 1), "3 axes"),
        (ramp(), UNPOSITIONED, "finite"),
        (ramp(), SHEARED, "right angles"),
    ],
)
def test_an_invalid_array_or_affine_is_refused(values, affine, words):
    with pytest.raises(ValueError, match=words):
        Volume.from_array(values, affine)


@pytest.mark.parametrize("directions", [AXIAL, PRONE, CORONAL, SAGITTAL, OBLIQUE])
def test_a_simpleitk_image_keeps_its_values_and_positions(directions):
    image = sitk_image(ramp(), directions)
    volume = Volume.from_sitk(image)
    for index in ((0, 0, 0), (4, 0, 0), (0, 3, 0), (0, 0, 2), (4, 3, 2)):
        world_mm = image.TransformIndexToPhysicalPoint(index)
        np.testing.assert_allclose(volume.world_mm(index), world_mm, atol=1e-9)
        assert volume.hu[index[::-1]] == image[index]


def test_a_simpleitk_image_is_copied():
    image = sitk_image(ramp())
    volume = Volume.from_sitk(image)
    image[0, 0, 0] = 99
    assert volume.hu[0, 0, 0] == -600
    del image
    np.testing.assert_array_equal(volume.hu, ramp())


def test_a_simpleitk_image_of_floats_is_rounded():
    volume = Volume.from_sitk(sitk_image(ramp(np.float32) + np.float32(0.4)))
    np.testing.assert_array_equal(volume.hu, ramp())


@pytest.mark.parametrize(
    "image",
    [
        SimpleITK.Image([5, 4], SimpleITK.sitkInt16),
        SimpleITK.Image([5, 4, 3], SimpleITK.sitkVectorInt16, 3),
    ],
)
def test_a_simpleitk_image_that_is_no_volume_is_refused(image):
    with pytest.raises(ValueError, match="3 axes and 1 component"):
        Volume.from_sitk(image)


def test_a_volume_without_source_frames_has_no_source_pixel():
    assert Volume.from_array(ramp(), AFFINE).source_pixel((0, 0, 0)) is None
