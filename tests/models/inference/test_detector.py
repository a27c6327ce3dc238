from types import SimpleNamespace

import numpy as np
import pytest
from scipy import special

from hounsfield.models.inference.detector import MAX_CANDIDATES, HeatmapDetector
from hounsfield.models.networks.centre_heatmap import HEAT, OUTPUT_CHANNELS, SIZE_DIVISOR, STRIDE
from hounsfield.models.store.manifest import Calibration
from hounsfield.models.training.augmentation.crop import CropNodule
from hounsfield.models.training.detector.targets import detection_target
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SIZE = 64


def a_volume(shape_zyx=(SIZE,) * 3):
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (10, -20, 30)
    lung = np.full(shape_zyx, RIGHT_LUNG, np.uint8)
    return WorkingVolume(np.full(shape_zyx, -800, np.int16), lung, lung > 0, affine)


def a_heatmap(*nodules, score=0.9):
    target = detection_target(nodules, SIZE)
    heat = np.where(target.heat == 1, special.logit(score), -6)
    return np.concatenate((heat[None], target.regression)).astype(np.float32)


def a_detector(network, **calibration):
    manifest = SimpleNamespace(hu_window=(-1000, 400), calibration=Calibration(**calibration))
    return HeatmapDetector(manifest, network)


def returning(heatmap):
    """A network that returns the same heat-map for any image."""
    return lambda image: np.repeat(heatmap[None], len(image), axis=0)


def test_a_peak_becomes_a_candidate_in_world_coordinates():
    volume = a_volume()
    heatmap = a_heatmap(CropNodule((21.3, 33.8, 40.1), 11.0))
    (candidate,) = a_detector(returning(heatmap)).detect(volume)
    expected = volume.world_mm((40.1, 33.8, 21.3))
    assert candidate.centre_world_mm == pytest.approx(expected, abs=1e-4)
    assert candidate.diameter_mm == pytest.approx(11.0, rel=1e-5)
    assert candidate.score == pytest.approx(0.9, abs=1e-5)


def test_of_two_candidates_within_one_radius_the_better_is_kept():
    heatmap = a_heatmap(CropNodule((20, 20, 20), 30.0), CropNodule((30, 20, 20), 30.0))
    heatmap[HEAT][heatmap[HEAT] > 0] = (2.0, 1.0)
    (candidate,) = a_detector(returning(heatmap)).detect(a_volume())
    assert candidate.score == pytest.approx(special.expit(2.0), abs=1e-6)


def test_calibration_changes_the_score_and_nothing_else():
    network = returning(a_heatmap(CropNodule((20, 20, 20), 8.0), score=0.5))
    (plain,) = a_detector(network).detect(a_volume())
    (calibrated,) = a_detector(network, slope=2, intercept=1).detect(a_volume())
    assert calibrated.score == pytest.approx(special.expit(1.0), abs=1e-6)
    assert calibrated.centre_world_mm == plain.centre_world_mm
    assert calibrated.diameter_mm == plain.diameter_mm


def test_a_volume_is_scaled_to_the_hu_window_and_padded_to_sizes_that_the_network_accepts():
    received = []

    def network(image):
        received.append(image)
        cells = [size // STRIDE for size in image.shape[2:]]
        return np.full((1, OUTPUT_CHANNELS, *cells), -9, np.float32)

    assert a_detector(network).detect(a_volume((50, 33, 17))) == []
    (image,) = received
    assert image.shape == (1, 1, 64, 48, 32)
    assert all(size % SIZE_DIVISOR == 0 for size in image.shape[2:])
    assert image[0, 0, :50, :33, :17] == pytest.approx((-800 + 1000) / 1400)
    assert not image[0, 0, 50:].any()


def test_no_more_candidates_are_returned_than_the_luna16_protocol_reads():
    heatmap = np.full((OUTPUT_CHANNELS, 16, 16, 16), -9, np.float32)
    heatmap[HEAT, ::2, ::2, ::2] = np.linspace(-1, 1, 512).reshape(8, 8, 8)
    heatmap[1:] = 0
    heatmap[-1] = -1  # 3 mm, so that none suppresses another
    candidates = a_detector(returning(heatmap)).detect(a_volume())
    assert len(candidates) == MAX_CANDIDATES
    scores = [candidate.score for candidate in candidates]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == pytest.approx(special.expit(1.0))
