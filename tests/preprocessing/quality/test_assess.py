"""Each quality notice is given if its cause is present, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hounsfield.preprocessing.codes import NoticeCode
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.quality.assess import assess_quality
from hounsfield.preprocessing.volume import SourceFrame, Volume
from tests.preprocessing.synthetic_chest import (
    CHEST,
    LEFT_CENTRE,
    LUNG_RADII,
    SyntheticChest,
    crop,
    reordered,
)


def notices_of(volume):
    """The notices of a volume by code, without the two that every synthetic chest has."""
    notices = {notice.code: notice for notice in assess_quality(volume, find_lungs(volume))}
    # The synthetic chest has pixels of 2 mm and slices 3 mm apart.
    notices.pop(NoticeCode.RESOLUTION_LOW)
    notices.pop(NoticeCode.THICK_SLICES)
    return notices


@pytest.fixture(scope="module")
def plain():
    return SyntheticChest().volume()


def test_an_ordinary_chest_has_no_notices(plain):
    assert notices_of(plain) == {}


def test_thick_slices_and_wide_pixels_are_reported_with_their_size(plain):
    notices = {notice.code: notice for notice in assess_quality(plain, None)}
    assert notices[NoticeCode.THICK_SLICES].numbers == {"thickness_mm": 3.0, "spacing_mm": 3.0}
    assert notices[NoticeCode.RESOLUTION_LOW].numbers == {"pixel_mm": 2.0}


@pytest.mark.parametrize(
    ("spacing_mm", "thickness_mm", "is_thick"),
    [(2.5, 2.5, False), (1.25, 5.0, True), (5.0, None, True), (0.7, 1.0, False)],
)
def test_the_thicker_of_thickness_and_spacing_counts(spacing_mm, thickness_mm, is_thick):
    facts = replace(CHEST, slice_thickness_mm=thickness_mm)
    volume = Volume(np.zeros((4, 4, 4), np.int16), np.diag([0.7, 0.7, spacing_mm, 1]), facts)
    codes = [notice.code for notice in assess_quality(volume, None)]
    assert codes == ([NoticeCode.THICK_SLICES] if is_thick else [])


def test_cut_lungs_are_reported_with_face_and_area(plain):
    notices = notices_of(crop(plain, z=slice(30, None)))
    assert list(notices) == [NoticeCode.LUNGS_CUT]
    height = (30 * 3 - 169.5) / LUNG_RADII[2]
    area_cm2 = 2 * np.pi * LUNG_RADII[0] * LUNG_RADII[1] * (1 - height**2) / 100
    assert notices[NoticeCode.LUNGS_CUT].numbers["foot_cm2"] == pytest.approx(area_cm2, rel=0.05)
    assert "at the foot" in notices[NoticeCode.LUNGS_CUT].message


def test_a_single_aerated_lung_is_reported():
    chest = SyntheticChest()
    chest.hu[chest.inside(LEFT_CENTRE, LUNG_RADII)] = 30
    notices = notices_of(chest.volume())
    assert "No aerated left lung" in notices[NoticeCode.ONE_LUNG].message


@pytest.mark.parametrize(
    ("shift_hu", "is_suspect"), [(-80, True), (-24, False), (40, False), (90, True)]
)
def test_air_far_from_minus_1000_is_suspect(plain, shift_hu, is_suspect):
    shifted = Volume(plain.hu + np.int16(shift_hu), plain.affine.copy(), plain.series)
    assert (NoticeCode.HU_SUSPECT in notices_of(shifted)) == is_suspect


@pytest.mark.parametrize(("noise_hu", "is_high"), [(40, False), (90, True)])
def test_noise_is_measured_in_soft_tissue(noise_hu, is_high):
    notices = notices_of(SyntheticChest().volume(noise_hu=noise_hu))
    assert (NoticeCode.NOISE_HIGH in notices) == is_high
    if is_high:
        assert notices[NoticeCode.NOISE_HIGH].numbers["noise_hu"] == pytest.approx(
            noise_hu, rel=0.1
        )


def test_a_breath_between_two_slices_is_motion(plain):
    hu = plain.hu.copy()
    hu[60:] = np.roll(hu[60:], 4, axis=1)
    notices = notices_of(Volume(hu, plain.affine.copy(), plain.series))
    assert notices[NoticeCode.MOTION_SUSPECT].numbers["slice"] == 61


def test_metal_is_reported_beside_the_lungs_and_not_outside_the_body():
    chest = SyntheticChest()
    chest.paint((0, -140, 0), (12, 4, 12), 3000)
    assert NoticeCode.METAL not in notices_of(chest.volume())
    chest.paint((0, 50, 0), (8, 8, 20), 3000)
    assert notices_of(chest.volume())[NoticeCode.METAL].numbers["dense_ml"] == pytest.approx(
        5.4, abs=1
    )


@pytest.mark.parametrize(("blood_hu", "is_contrast"), [(45, False), (250, True)])
def test_contrast_is_measured_in_heart_and_vessels_whatever_the_header_says(blood_hu, is_contrast):
    chest = SyntheticChest()
    chest.paint((0, -30, -40), (45, 50, 70), blood_hu)
    facts = replace(CHEST, contrast_bolus_agent="" if is_contrast else "Omnipaque")
    assert (NoticeCode.CONTRAST in notices_of(chest.volume(facts=facts))) == is_contrast


def test_a_sharp_kernel_is_reported(plain):
    sharp = Volume(plain.hu, plain.affine, replace(CHEST, convolution_kernel="B70f"))
    assert notices_of(sharp)[NoticeCode.SHARP_KERNEL].numbers == {"kernel": "B70f"}


@pytest.mark.parametrize(
    ("order_zyx", "flipped", "words"),
    [((0, 1, 2), (), None), ((1, 0, 2), (), "90 degrees"), ((0, 1, 2), (1, 2), "not shown with")],
)
def test_other_than_axial_and_upright_images_are_unusual(plain, order_zyx, flipped, words):
    stored = reordered(plain, order_zyx, flipped)
    notices = {notice.code: notice for notice in assess_quality(stored, None)}
    if words is None:
        assert NoticeCode.ORIENTATION_UNUSUAL not in notices
    else:
        assert words in notices[NoticeCode.ORIENTATION_UNUSUAL].message


@pytest.mark.parametrize(
    ("order_zyx", "flipped"), [((0, 1, 2), (1, 2)), ((0, 1, 2), (0,)), ((1, 0, 2), (0, 1))]
)
def test_how_a_scan_is_stored_changes_no_notice_but_that_of_its_orientation(order_zyx, flipped):
    chest = SyntheticChest()
    chest.paint((0, 50, 0), (8, 8, 20), 3000)
    chest.hu[60:] = np.roll(chest.hu[60:], 4, axis=1)
    volume = crop(chest.volume(noise_hu=90), z=slice(30, None))
    first = notices_of(volume)
    assert {NoticeCode.MOTION_SUSPECT, NoticeCode.METAL, NoticeCode.NOISE_HIGH} <= set(first)
    again = notices_of(reordered(volume, order_zyx, flipped))
    again.pop(NoticeCode.ORIENTATION_UNUSUAL, None)
    assert again == first


def test_the_slices_of_a_file_without_images_are_axial_and_those_of_dicom_its_images():
    thin = Volume(np.zeros((4, 4, 4), np.int16), np.diag([0.7, 0.7, 1.0, 1]), CHEST)
    coronal = reordered(replace(thin, affine=np.diag([0.7, 5.0, 1.0, 1])), (1, 0, 2), ())
    frames = tuple(SourceFrame(f"1.{i}", 1, coronal.affine) for i in range(4))
    codes = [
        {notice.code for notice in assess_quality(volume, None)}
        for volume in (coronal, replace(coronal, source_frames=frames))
    ]
    assert NoticeCode.THICK_SLICES not in codes[0]
    assert NoticeCode.RESOLUTION_LOW in codes[0]
    assert NoticeCode.THICK_SLICES in codes[1]
    assert NoticeCode.RESOLUTION_LOW not in codes[1]


def test_notices_come_in_the_order_of_their_codes(plain):
    order = list(NoticeCode)
    codes = [notice.code for notice in assess_quality(crop(plain, z=slice(30, 90)), None)]
    assert codes == sorted(codes, key=order.index)
