"""One series of a study is analysed: axial, original, long, thin, of the preferred kernel."""

from dataclasses import replace
from pathlib import Path

import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.quality.kernels import is_sharp_kernel
from hounsfield.preprocessing.selection import by_study, rank_series
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts


def make_series(number, **changes):
    kernel = changes.pop("kernel", "B31f")
    slice_mm = changes.pop("slice_mm", 1.0)
    length_mm = changes.pop("length_mm", 300.0)
    facts = SeriesFacts(
        study_uid="1",
        series_uid=f"1.{number}",
        series_number=number,
        convolution_kernel=kernel,
        slice_thickness_mm=changes.pop("thickness_mm", slice_mm),
        image_type=changes.pop("image_type", ("ORIGINAL", "PRIMARY", "AXIAL")),
        lossy=changes.pop("lossy", False),
    )
    made = Series(
        path=Path("study"),
        format=SeriesFormat.DICOM,
        sources=(),
        facts=facts,
        shape_zyx=(round(length_mm / slice_mm), 512, 512),
        spacing_mm=(0.7, 0.7, slice_mm),
        orientation="axial",
    )
    return replace(made, **changes)


def order(*series, kernel="soft"):
    return [ranked.series.facts.series_number for ranked in rank_series(series, kernel=kernel)]


@pytest.mark.parametrize(
    ("worse", "words"),
    [
        ({"orientation": "coronal"}, "is axial"),
        ({"length_mm": 120.0}, "covers more of the lungs"),
        ({"image_type": ("DERIVED", "PRIMARY", "AXIAL")}, "is an original reconstruction"),
        ({"slice_mm": 5.0}, "has thinner slices (1 mm, here 5 mm)"),
        ({"slice_mm": 1.25}, "has thinner slices (1 mm, here 1.25 mm)"),
        ({"thickness_mm": 3.0}, "has thinner slices (1 mm, here 3 mm)"),
        ({"kernel": "B70f"}, "has the preferred soft kernel"),
        ({"lossy": True}, "was never compressed with loss"),
        ({}, "is as good and comes first"),
    ],
)
def test_the_better_series_is_chosen_and_the_rejection_states_why(worse, words):
    best, other = rank_series([make_series(1), make_series(2, **worse)][::-1])
    assert (best.series.facts.series_number, best.rejection) == (1, None)
    assert other.rejection.reason is Reason.BETTER_SERIES_CHOSEN
    assert words in other.rejection.message
    assert other.rejection.message.startswith("series 1 'B31f' of the same study")


def test_the_kernel_is_chosen_as_configured():
    soft, lung = make_series(1), make_series(2, kernel="B70f")
    assert order(soft, lung, kernel="soft") == [1, 2]
    assert order(soft, lung, kernel="lung") == [2, 1]
    assert order(lung, soft, kernel="any") == [1, 2]


def test_thin_slices_count_more_than_the_kernel():
    assert order(make_series(1, slice_mm=5.0), make_series(2, kernel="B70f")) == [2, 1]
    assert order(make_series(1, slice_mm=1.25), make_series(2, kernel="B70f")) == [1, 2]


def test_a_thin_series_that_ends_a_little_earlier_is_long_enough():
    assert order(make_series(1, slice_mm=5.0), make_series(2, length_mm=270.0)) == [2, 1]


def test_a_series_that_cannot_be_analysed_keeps_its_own_reason():
    scout = make_series(1, rejection=SeriesError(Reason.LOCALIZER, "a scout"), readable=False)
    ranked = rank_series([scout, make_series(2)])
    assert [series.rejection and series.rejection.reason for series in ranked] == [
        None,
        Reason.LOCALIZER,
    ]
    assert [series.rejection.reason for series in rank_series([scout])] == [Reason.LOCALIZER]
    assert rank_series([]) == []


def test_series_are_grouped_by_study():
    other = make_series(2)
    other = replace(other, facts=replace(other.facts, study_uid="2"))
    studies = by_study([make_series(1), other, make_series(3)])
    assert {uid: len(group) for (uid, _), group in studies.items()} == {"1": 2, "2": 1}


@pytest.mark.parametrize(
    ("manufacturer", "kernel", "sharp"),
    [
        ("SIEMENS", "B70f", True),
        ("SIEMENS", "B31f", False),
        ("SIEMENS", "Bl57d\\3", True),
        ("SIEMENS", "Br40d", False),
        ("GE MEDICAL SYSTEMS", "LUNG", True),
        ("GE MEDICAL SYSTEMS", "BONEPLUS", True),
        ("GE MEDICAL SYSTEMS", "STANDARD", False),
        ("Philips", "B", False),
        ("Philips", "L", True),
        ("TOSHIBA", "FC51", True),
        ("TOSHIBA", "FC08", False),
        ("Canon", "FC18-H", False),
        ("other", "L", None),
        ("", "", None),
    ],
)
def test_sharp_kernels_are_recognised_by_each_manufacturers_names(manufacturer, kernel, sharp):
    assert is_sharp_kernel(manufacturer, kernel) is sharp


def _field(width_mm, centre_x_mm=0.0, depth_mm=None):
    """The box of an axial field of view of 300 mm length."""
    half_x, half_y = width_mm / 2, (depth_mm or width_mm) / 2
    return ((centre_x_mm - half_x, -half_y, -300.0), (centre_x_mm + half_x, half_y, 0.0))


@pytest.mark.parametrize("zoom", [_field(180, 80), _field(250, 90), _field(180)])
def test_a_thin_zoom_of_one_lung_never_beats_the_whole_chest(zoom):
    thin = make_series(1, box_mm=zoom)
    whole = make_series(2, slice_mm=5.0, box_mm=_field(360))
    best, other = rank_series([thin, whole])
    assert best.series is whole
    assert "covers more of the lungs" in other.rejection.message


def test_two_fields_that_are_wider_than_lungs_cover_them_alike():
    thin = make_series(1, box_mm=_field(330, 10))
    wide = make_series(2, slice_mm=5.0, box_mm=_field(500))
    assert order(thin, wide) == [1, 2]


def test_thickness_is_compared_with_a_tolerance():
    soft = make_series(1, thickness_mm=2.5000000000012665, slice_mm=2.5)
    sharp = make_series(2, thickness_mm=2.5, slice_mm=2.5, kernel="B70f")
    assert order(soft, sharp) == [1, 2]
