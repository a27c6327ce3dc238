"""The lungs of two studies laid on one another: digital persons who lie and breathe otherwise."""

import numpy as np
import pytest
import SimpleITK

from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.registration import MIN_OVERLAP, register_lungs
from tests.phantom_patient import FIRST, LATER, scanned


@pytest.fixture(scope="module")
def pair():
    return [(one, find_lungs(one.volume)) for one in (scanned(FIRST), scanned(LATER))]


@pytest.fixture(scope="module")
def registration(pair):
    (_, earlier), (_, later) = pair
    return register_lungs(later, earlier)


def places(phantom, *which):
    return np.array([phantom.nodules[index].centre_world_mm for index in which])


def test_a_place_is_found_in_the_other_study_to_a_few_mm(pair, registration):
    (first, _), (second, _) = pair
    then, now = places(first, 0, 2), places(second, 0, 2)
    assert np.linalg.norm(then - now, axis=1).min() > 10
    assert np.linalg.norm(registration.earlier_world_mm(now) - then, axis=1).max() < 3
    assert registration.is_good


def test_the_way_back_leads_to_the_same_place(pair, registration):
    there = registration.earlier_world_mm(places(pair[1][0], 0, 1, 2))
    assert registration.later_world_mm(there) == pytest.approx(
        places(pair[1][0], 0, 1, 2), abs=1e-3
    )


def test_the_same_lungs_give_the_same_bits_on_any_number_of_threads(pair, registration):
    (_, earlier), (second, later) = pair
    before = SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads()
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(3)
    try:
        again = register_lungs(later, earlier)
    finally:
        SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    one, other = (each.earlier_world_mm(places(second, 0, 1, 2)) for each in (registration, again))
    assert one.tobytes() == other.tobytes()
    assert (registration.overlap, registration.vessel_correlation) == (
        again.overlap,
        again.vessel_correlation,
    )


def test_the_lungs_of_another_person_are_refused(pair):
    refused = register_lungs(pair[1][1], find_lungs(scanned(None, seed=8).volume))
    assert refused.overlap > MIN_OVERLAP
    assert not refused.is_good
