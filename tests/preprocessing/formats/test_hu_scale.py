"""Values are taken for HU only where their distribution says that they are."""

import numpy as np
import pytest

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.hu_conversion import to_hu
from hounsfield.preprocessing.hu_rounding import AIR_HU, MIN_HU
from tests.preprocessing.synthetic_chest import SyntheticChest


@pytest.fixture(scope="module")
def chest():
    return SyntheticChest().volume()


def read(chest, values, **scale):
    return to_hu(values, chest.affine, "a.nii", **scale)


def with_padding(hu, number):
    padded = hu.copy()
    padded[:, :12] = number
    return padded


@pytest.mark.parametrize(
    "change",
    [
        lambda hu: hu,
        lambda hu: hu.astype(np.float32) + np.float32(0.25),
        lambda hu: np.clip(hu, -1000, 400),
        lambda hu: with_padding(hu, -2000),
        lambda hu: with_padding(hu, -32768),
    ],
)
def test_hu_stay_as_they_are(chest, change):
    values = np.rint(change(chest.hu))
    hu, notices = read(chest, change(chest.hu))
    np.testing.assert_array_equal(hu, np.where(values < MIN_HU, AIR_HU, values))
    assert {notice.code for notice in notices} <= {NoticeCode.PADDING_REPLACED}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda hu: np.clip((hu + 1000.0) / 1400, 0, 1), "fractions of a window"),
        (lambda hu: (np.clip((hu + 1000.0) / 1400, 0, 1) * 255).round(), "grey levels"),
        (lambda hu: (hu > -500).astype(np.int16), "2 different whole numbers, as a mask has"),
        (lambda hu: hu / 1000.0, "HU divided by 1000"),
        (lambda hu: hu * 1000.0, "scaled"),
        (lambda hu: hu.astype(np.int32) * 10, "scaled"),
        (lambda hu: hu / 2.0, "another scale"),
        (lambda hu: np.clip(hu, -160, 240), "a window without air"),
        (lambda hu: hu - 1024, "the rescale was applied twice"),
        (lambda hu: np.clip(hu + 1000, 0, None), "stored values without their rescale"),
        (lambda hu: hu + 2000, "stored values without their rescale"),
        (np.zeros_like, "as a mask has"),
        (
            lambda hu: with_padding((np.clip((hu + 1000) / 1400, 0, 1) * 255).astype("i2"), -1024),
            "grey levels",
        ),
    ],
)
def test_values_that_are_no_hu_are_refused_with_what_they_are(chest, change, words):
    with pytest.raises(SeriesError, match=words) as raised:
        read(chest, change(chest.hu))
    assert (raised.value.reason, raised.value.path) == (Reason.HU_UNKNOWN, "a.nii")


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.float32])
@pytest.mark.parametrize("padding", [None, 0])
def test_stored_values_whose_offset_is_certain_become_hu_with_a_notice(chest, dtype, padding):
    stored = np.clip(chest.hu + 1024, 0, None)
    if padding is not None:
        stored = with_padding(stored, padding)
    hu, [notice] = read(chest, stored.astype(dtype))
    np.testing.assert_array_equal(hu, stored - 1024)
    assert notice.code is NoticeCode.HU_SUSPECT
    assert notice.numbers["subtracted_hu"] == 1024
    assert abs(notice.numbers["air_value"] - 24) <= 5


def test_the_headers_scale_is_applied_before(chest):
    stored = np.clip(chest.hu.astype(np.int32) + 1024, 0, None) * 2
    hu, notices = read(chest, stored.astype(np.uint16), slope=0.5, intercept=-1024.0)
    np.testing.assert_array_equal(hu, np.clip(chest.hu, -1024, None))
    assert notices == ()


def test_a_crop_need_not_hold_air():
    crop = np.full((10, 10, 10), -600, np.int16)
    hu, notices = to_hu(crop, np.diag([1.0, 1, 1, 1]), "a.nii")
    assert (hu == crop).all()
    assert notices == ()
