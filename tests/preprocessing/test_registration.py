"""The lungs of two phantom studies in different positions and breathing states are registered."""

import numpy as np
import pytest
import SimpleITK

from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.registration import MIN_OVERLAP, register_lungs
from tests.phantom_patient import FIRST, LATER, scanned


@pytest.fixture(scope="module")
def pair():
    return [(phantom, find_lungs(phantom.volume)) for phantom in (scanned(FIRST), scanned(LATER))]


@pytest.fixture(scope="module")
def registration(pair):
    (_, earlier), (_, later) = pair
    return register_lungs(later, earlier)


def centres_mm(phantom, *nodules):
    return np.array([phantom.nodules[index].centre_world_mm for index in nodules])


def test_a_position_is_mapped_to_the_other_study_within_a_few_mm(pair, registration):
    (first, _), (second, _) = pair
    then, now = centres_mm(first, 0, 2), centres_mm(second, 0, 2)
    assert np.linalg.norm(then - now, axis=1).min() > 10
    assert np.linalg.norm(registration.earlier_world_mm(now) - then, axis=1).max() < 3
    assert registration.is_good


def test_the_inverse_mapping_returns_to_the_same_position(pair, registration):
    there = registration.earlier_world_mm(centres_mm(pair[1][0], 0, 1, 2))
    assert registration.later_world_mm(there) == pytest.approx(
        centres_mm(pair[1][0], 0, 1, 2), abs=1e-3
    )


def test_the_same_lungs_give_the_same_bits_on_any_number_of_threads(pair, registration):
    (_, earlier), (second, later) = pair
    before = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        again = register_lungs(later, earlier)
    finally:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    later_mm = centres_mm(second, 0, 1, 2)
    mapped, mapped_again = (r.earlier_world_mm(later_mm) for r in (registration, again))
    assert mapped.tobytes() == mapped_again.tobytes()
    assert (registration.overlap, registration.vessel_correlation) == (
        again.overlap,
        again.vessel_correlation,
    )


def test_the_lungs_of_another_person_are_refused(pair):
    refused = register_lungs(pair[1][1], find_lungs(scanned(None, seed=8).volume))
    assert refused.overlap > MIN_OVERLAP
    assert not refused.is_good
