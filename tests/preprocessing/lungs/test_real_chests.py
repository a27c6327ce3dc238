"""Lungs, working grid and quality notices of four real chests."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.quality.assess import assess_quality
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.working_grid import to_working_volume
from hounsfield.preprocessing.working_volume import LEFT_LUNG, OUTSIDE, RIGHT_LUNG
from tests.preprocessing.synthetic_chest import value_at
from tests.real_series import REAL, needs_real_series

pytestmark = [
    pytest.mark.real,
    needs_real_series,
]


@cache
def chest(name):
    """A real series and its lungs."""
    [series] = [series for series in discover([REAL / name / "ct"]).series if series.readable]
    volume = read_volume(series)
    return volume, find_lungs(volume)


@pytest.mark.parametrize(
    ("name", "right_ml", "left_ml"),
    [
        ("lidc-idri-0001", 1980, 1770),
        ("lidc-idri-0002", 2840, 2490),
        ("lung-pet-ct-dx-a0001", 3200, 2420),
        ("cptac-lscc-c3n-00247", 2690, 1930),
    ],
)
def test_lung_volumes_equal_those_checked_by_eye(name, right_ml, left_ml):
    _, lungs = chest(name)
    assert (lungs.right_ml, lungs.left_ml) == pytest.approx((right_ml, left_ml), rel=0.03)
    assert lungs.cut_faces == ()


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("lidc-idri-0001", {NoticeCode.METAL, NoticeCode.CONTRAST}),
        ("lidc-idri-0002", set()),
        ("lung-pet-ct-dx-a0001", {NoticeCode.THICK_SLICES}),
        (
            "cptac-lscc-c3n-00247",
            {
                NoticeCode.THICK_SLICES,
                NoticeCode.NOISE_HIGH,
                NoticeCode.CONTRAST,
                NoticeCode.SHARP_KERNEL,
            },
        ),
    ],
)
def test_notices_equal_those_of_a_reader(name, codes):
    assert {notice.code for notice in assess_quality(*chest(name))} == codes


def test_the_nodule_of_lidc_idri_0001_is_in_the_left_lung():
    volume, lungs = chest("lidc-idri-0001")
    nodule = (56.2, 86.3, -115.9)
    assert value_at(lungs.labels, lungs.affine, nodule) == LEFT_LUNG
    working = to_working_volume(volume, lungs)
    assert value_at(working.lung_labels, working.affine, nodule) == LEFT_LUNG
    assert value_at(working.hu, working.affine, nodule) > -100


def test_the_adenocarcinoma_at_the_pleura_is_searched():
    """The largest boxes of Lung_Dx-A0001: slices 45 to 49, about x 288 to 355, y 315 to 390."""
    volume, lungs = chest("lung-pet-ct-dx-a0001")
    z, y, x = np.mgrid[45:50, 318:386:4, 292:351:4]
    dense = np.abs(volume.hu[z, y, x] - 20) < 80
    places = volume.world_mm(np.stack([x, y, z], axis=-1)[dense])
    searched = [value_at(lungs.search_mask, lungs.affine, place) for place in places]
    labels = [value_at(lungs.labels, lungs.affine, place) for place in places]
    assert np.mean(searched) > 0.9
    assert np.mean(np.equal(labels, LEFT_LUNG)) > 0.7


@pytest.mark.parametrize(
    "name", ["lidc-idri-0001", "lidc-idri-0002", "lung-pet-ct-dx-a0001", "cptac-lscc-c3n-00247"]
)
def test_trachea_and_main_bronchi_are_between_the_lungs_and_in_neither(name):
    """8 ml of thin air is left out between them: 5 cm of a trachea 14 mm wide."""
    _, lungs = chest(name)
    right = np.logical_or.accumulate(lungs.labels == RIGHT_LUNG, axis=2)
    left = np.logical_or.accumulate((lungs.labels == LEFT_LUNG)[:, :, ::-1], axis=2)[:, :, ::-1]
    between = right & left & (lungs.labels == OUTSIDE)
    assert np.count_nonzero(between & (lungs.hu < -900)) * 0.027 > 8


def test_the_foam_of_a_head_holder_is_not_lung():
    (head,) = discover([REAL / "tricky" / "uneven"]).series
    with pytest.raises(SeriesError, match="open to the edge of the field of view") as caught:
        find_lungs(read_volume(head))
    assert caught.value.reason is Reason.NOT_CHEST
