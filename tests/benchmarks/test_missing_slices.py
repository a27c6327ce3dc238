"""The benchmark of missing slices runs, and measures what it says."""

from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.missing_slices.inserted_spheres import Sphere, SphereKind, make_background
from benchmarks.missing_slices.slice_removal import (
    removals_by_gap,
    removals_by_share,
    rule_fills,
    touches,
    without_slices,
)
from benchmarks.missing_slices.sphere_search import Searcher, load_searcher
from hounsfield.data.phantom import SMALL, make_phantom
from hounsfield.models.contracts import NoduleSegmentations
from hounsfield.preprocessing.volume import Volume

SMALL_SPHERE = SphereKind(4.0, "solid")


def _ramp(slices, spacing_mm):
    hu = np.broadcast_to(np.arange(slices, dtype=np.int16)[:, None, None] * 10, (slices, 4, 4))
    return Volume.from_array(hu, np.diag([1.0, 1.0, spacing_mm, 1.0]))


def test_lost_slices_are_interpolated_between_their_neighbours():
    hu = _ramp(12, 2.0).hu.copy()
    hu[5] = 700
    filled = without_slices(Volume.from_array(hu, np.diag([1.0, 1.0, 2.0, 1.0])), (3, 5, 8, 9))
    assert np.array_equal(filled.hu, _ramp(12, 2.0).hu)


@pytest.mark.parametrize(
    ("spacing_mm", "missing", "filled"),
    [
        (1.25, (10, 50, 90, 130, 170, 210), True),
        (1.25, (50, 51, 52), True),
        (1.25, (50, 51, 52, 53), False),
        (2.0, (50,), True),
        (2.0, (50, 51), False),
        (5.0, (50,), True),
        (8.0, (50,), False),
    ],
)
def test_the_rule_fills_few_slices_and_narrow_gaps(spacing_mm, missing, filled):
    assert rule_fills(_ramp(231, spacing_mm), missing) is filled


def test_a_sphere_is_touched_by_the_lost_slices_that_hold_a_part_of_it():
    sphere = Sphere((1.0, 1.0, 20.0), SMALL_SPHERE)
    touched = [touches(_ramp(20, 2.0), sphere, [z]) for z in range(7, 14)]
    assert touched == [False, False, True, True, True, False, False]


def _blind_searcher():
    detector = SimpleNamespace(detect=lambda _: [])
    segmenter = SimpleNamespace(
        segment=lambda _, candidates: [NoduleSegmentations(None, None) for _ in candidates]
    )
    return Searcher(SimpleNamespace(detector=detector, reducer=None), segmenter, 0.5)


@pytest.fixture(scope="module")
def background():
    return make_background("phantom", make_phantom(3, settings=SMALL, nodules=[]).volume)


def test_a_share_of_the_slices_is_lost_and_at_least_one(background):
    outcomes = removals_by_share(
        _blind_searcher(), background, [0.001, 0.06], np.random.default_rng(1)
    )
    assert [len(set(outcome.missing)) for outcome in outcomes] == [1, 4]
    assert not any(sphere.before or sphere.after for sphere in outcomes[1].spheres)


@pytest.mark.slow
def test_a_gap_in_every_sphere_changes_what_is_found_and_measured(background):
    (outcome,) = removals_by_gap(load_searcher(), background, [2], np.random.default_rng(1))
    large = [sphere for sphere in outcome.spheres if sphere.kind.diameter_mm == 10]
    assert len(large) > 5
    assert all(sphere.touched for sphere in outcome.spheres)
    assert np.mean([sphere.before for sphere in large]) > 0.5
    assert np.median([sphere.change for sphere in large if sphere.before]) < -0.05
