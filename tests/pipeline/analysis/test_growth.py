"""Growth between two studies of a patient: the numbers, the pairs, and the study it is held to."""

from pathlib import Path

import pytest

from hounsfield.models.findings import Candidate
from hounsfield.models.measurements.density import Texture
from hounsfield.pipeline.analysis.growth.matching import match_findings, nearest_candidate
from hounsfield.pipeline.assessment.growth import (
    ComparedFinding,
    EarlierNodule,
    EarlierStudy,
    GrowthComparison,
)
from hounsfield.pipeline.assessment.interval_change import GrowthStatus, NoduleSize, size_change
from hounsfield.pipeline.batch.prior_studies import (
    NO_DATE,
    OTHER_HAS_NO_DATE,
    OTHER_SEX,
    SAME_DAY,
    find_priors,
)
from hounsfield.pipeline.report.growth_section import PART_SOLID, growth_document
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts
from tests.preprocessing.volumes import make_volume


def size(volume_mm3=500.0, mean_mm=8.0, texture="solid", solid_mm=None):
    return NoduleSize(
        volume_mm3=volume_mm3,
        mean_diameter_mm=mean_mm,
        texture=Texture(texture),
        solid_part_mm=solid_mm,
    )


def study(uid, date, *, patient="A", sex=""):
    facts = SeriesFacts(uid, f"{uid}.1", patient_id=patient, patient_sex=sex, study_date=date)
    return [Series(Path(uid), SeriesFormat.DICOM, (), facts)]


def prior_of(which, *studies):
    return find_priors(studies)[which]


# Numbers.


@pytest.mark.parametrize(("ratio", "days", "expected"), [(2.0, 100, 100.0), (8.0, 90, 30.0)])
def test_a_volume_that_doubles_in_its_time_has_that_doubling_time(ratio, days, expected):
    change = size_change(size(100.0), size(100.0 * ratio), days=days)
    assert change.doubling_time_days == pytest.approx(expected)
    assert change.volume_change == pytest.approx(ratio - 1)


@pytest.mark.parametrize(
    ("ratio", "status"),
    [(1.251, "grown"), (1.25, "stable"), (0.75, "stable"), (0.749, "shrunk")],
)
def test_a_volume_has_changed_only_beyond_what_measuring_twice_gives(ratio, status):
    change = size_change(size(1000.0), size(1000.0 * ratio), days=100)
    assert change.status is GrowthStatus(status)
    assert (change.doubling_time_days is None) == (status != "grown")


@pytest.mark.parametrize(
    ("earlier_mm", "later_mm", "days", "change"),
    [
        (6.0, 7.5, 365, "stable"),
        (6.0, 7.6, 365, "growing"),
        (6.04, 7.54, 365, "stable"),  # 6.0 and 7.5 as they are reported
        (6.04, 7.55, 365, "growing"),
        (6.0, 7.6, 366, "growing"),
        (6.0, 8.0, 486, "growing"),  # 1.502 mm in 12 months
        (6.0, 8.0, 487, "stable"),
        (8.0, 6.0, 100, "stable"),
    ],
)
def test_growth_by_lung_rads_is_more_than_one_and_a_half_mm_in_12_months(
    earlier_mm, later_mm, days, change
):
    assert (
        size_change(size(mean_mm=earlier_mm), size(mean_mm=later_mm), days=days).diameter_change
        == change
    )


@pytest.mark.parametrize(
    ("earlier", "later", "change"),
    [
        (size(), size(), None),
        (size(texture="non_solid"), size(texture="part_solid", solid_mm=3.0), "new"),
        (
            size(texture="part_solid", solid_mm=3.0),
            size(texture="part_solid", solid_mm=4.6),
            "growing",
        ),
        (
            size(texture="part_solid", solid_mm=3.0),
            size(texture="part_solid", solid_mm=4.5),
            "stable",
        ),
    ],
)
def test_the_solid_part_has_an_interval_change_of_its_own(earlier, later, change):
    assert size_change(earlier, later, days=180).solid_part_change == change


@pytest.mark.parametrize(
    ("earlier", "later", "warned"),
    [("solid", "solid", False), ("part_solid", "solid", True), ("non_solid", "part_solid", True)],
)
def test_the_change_of_a_part_solid_nodule_is_reported_with_a_warning(earlier, later, warned):
    change = size_change(size(texture=earlier), size(texture=later), days=180)
    nodule = EarlierNodule(Candidate((0.0, 0.0, 0.0), 8.0, 0.9), size(texture=earlier), None)
    finding = ComparedFinding(1, (0.0, 0.0, 0.0), nodule, change, inside=True)
    volume = make_volume()
    study = EarlierStudy(volume, 180, 1, 0.9, 0.8)
    document = growth_document(GrowthComparison(study, findings=(finding,)), volume)
    assert document.nodules[0].reason == (PART_SOLID if warned else "")


def test_growth_needs_a_day_between():
    with pytest.raises(ValueError, match="days must be 1 or more, got 0"):
        size_change(size(), size(), days=0)


# Pairs.


def candidate(x, diameter_mm=6.0):
    return Candidate((float(x), 0.0, 0.0), diameter_mm, 0.5)


def test_findings_are_paired_one_to_one_by_the_least_distance_in_sum():
    later, earlier = [candidate(0), candidate(5)], [candidate(4), candidate(-3)]
    places = [nodule.centre_world_mm for nodule in later]
    assert match_findings(places, later, earlier) == {0: 1, 1: 0}


def test_nodules_beyond_the_tolerance_are_no_pair_but_a_mass_may_be_off_by_more():
    assert match_findings([(0.0, 0.0, 0.0)], [candidate(0)], [candidate(8.1)]) == {}
    assert match_findings([(0.0, 0.0, 0.0)], [candidate(0)], [candidate(7.9)]) == {0: 0}
    assert match_findings([(0.0, 0.0, 0.0)], [candidate(0)], [candidate(15, 40.0)]) == {0: 0}
    assert match_findings([], [], [candidate(0)]) == {}


def test_candidates_below_the_operating_point_must_be_nearer():
    near, far = candidate(3.9), candidate(-4.1)
    assert nearest_candidate((0.0, 0.0, 0.0), candidate(0), [far, near]) is near
    assert nearest_candidate((0.0, 0.0, 0.0), candidate(0), [far]) is None


# The earlier study.


def test_a_study_is_compared_with_the_most_recent_earlier_one_of_the_same_patient():
    first, second, third = (study(f"1.{y}", f"{y}0301") for y in (2020, 2021, 2023))
    other = study("1.9", "20220301", patient="B")
    priors = find_priors([third, first, other, second])
    assert priors[0].series == tuple(second)
    assert priors[0].days == 730
    assert priors[1] is None
    assert priors[2] is None
    assert priors[3].series == tuple(first)


@pytest.mark.parametrize("patient", ["", " "])
def test_studies_without_a_patient_id_are_compared_with_none(patient):
    first, second = study("1", "20200101", patient=patient), study("2", "20210101", patient=patient)
    assert find_priors([first, second]) == [None, None]


@pytest.mark.parametrize(
    ("later", "earlier", "reason"),
    [
        (study("1", "20200101"), study("2", "20200101"), SAME_DAY),
        (study("1", ""), study("2", "20200101"), NO_DATE),
        (study("1", "20209901"), study("2", "20200101"), NO_DATE),
        (study("1", "20200101"), study("2", ""), OTHER_HAS_NO_DATE),
        (study("1", "20200102", sex="F"), study("2", "20200101", sex="M"), OTHER_SEX),
    ],
)
def test_the_reason_is_given_where_two_studies_cannot_be_compared(later, earlier, reason):
    prior = prior_of(0, later, earlier)
    assert (prior.series, prior.reason) == ((), reason)
