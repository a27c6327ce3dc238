from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.torch import save

from hounsfield.models.findings import Candidate
from hounsfield.models.inference.reducer import (
    MAX_REDUCED_CANDIDATES,
    CandidateReducer,
    candidate_views,
)
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.reduce_net import ReduceNet
from hounsfield.models.store.manifest import Calibration
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SMALL = {"close_channels": (2, 2, 2, 2), "wide_channels": (2, 2, 2)}
SIZE = 48


@pytest.fixture(scope="module")
def volume():
    hu = np.random.default_rng(0).integers(-1000, 200, (SIZE,) * 3).astype(np.int16)
    lung = np.full(hu.shape, RIGHT_LUNG, np.uint8)
    return WorkingVolume(hu, lung, lung > 0, np.diag([-1.0, 1.0, 1.0, 1.0]))


@pytest.fixture(scope="module")
def weights():
    return save(ReduceNet(**SMALL).state_dict())


def a_reducer(weights, *, threads=1, **calibration):
    manifest = SimpleNamespace(
        network=SMALL, hu_window=(-1000, 400), calibration=Calibration(**calibration)
    )
    network = torch_network(weights, lambda: ReduceNet(**SMALL), threads=threads)
    return CandidateReducer(manifest, network)


def place_and_size(candidate):
    return candidate.centre_world_mm, candidate.diameter_mm


def candidates(volume, count):
    rng = np.random.default_rng(1)
    places = volume.world_mm(rng.uniform(0, SIZE, (count, 3))).tolist()
    scores = rng.uniform(0.1, 0.9, count).tolist()
    return [
        Candidate(tuple(place), 5.0, score) for place, score in zip(places, scores, strict=True)
    ]


def test_candidates_keep_their_places_and_come_best_score_first(volume, weights):
    detected = candidates(volume, 12)
    reduced = a_reducer(weights, detector_slope=1.0).reduce(volume, detected)
    assert sorted(place_and_size(candidate) for candidate in reduced) == sorted(
        place_and_size(candidate) for candidate in detected
    )
    scores = [candidate.score for candidate in reduced]
    assert scores == sorted(scores, reverse=True)


def test_without_candidates_there_is_nothing_to_reduce(volume, weights):
    assert a_reducer(weights).reduce(volume, []) == []


def test_candidates_beyond_the_maximum_keep_their_order_below_the_others(volume, weights):
    detected = candidates(volume, MAX_REDUCED_CANDIDATES + 8)
    # The network dominates: without the rule it would change the order of all.
    reduced = a_reducer(weights, slope=50.0, detector_slope=0.1).reduce(volume, detected)
    by_detector = sorted(detected, key=lambda candidate: -candidate.score)
    assert [place_and_size(candidate) for candidate in reduced[MAX_REDUCED_CANDIDATES:]] == [
        place_and_size(candidate) for candidate in by_detector[MAX_REDUCED_CANDIDATES:]
    ]


def test_neither_the_order_of_the_candidates_nor_the_threads_change_a_bit(volume, weights):
    detected = candidates(volume, 25)
    forwards = a_reducer(weights, detector_slope=1.0).reduce(volume, detected)
    backwards = a_reducer(weights, threads=2, detector_slope=1.0).reduce(volume, detected[::-1])
    assert forwards == backwards


def test_both_views_are_centred_on_the_place_and_the_close_one_copies_voxels():
    hu = np.full((100, 90, 80), -800, np.int16)
    hu[50, 40, 30] = 1000
    close, wide = candidate_views(hu, (1.0, 1.0, 1.0), np.array([50.3, 39.6, 30.0]))
    assert np.argwhere(close > -800).tolist() == [[15, 16, 15]]
    assert close.max() == 1000
    assert np.abs(np.argwhere(wide > -790) - 15.5).max() < 2
    outside = candidate_views(hu, (1.0, 1.0, 1.0), np.array([0.0, 0.0, 0.0]))
    assert (outside[:, 0, 0, 0] < -900).all()
