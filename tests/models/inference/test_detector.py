from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.torch import save
from scipy import special

from hounsfield.models.inference.detector import HeatmapDetector
from hounsfield.models.inference.runtimes import torch_network
from hounsfield.models.networks.centre_heatmap import OUTPUT_CHANNELS, STRIDE
from hounsfield.models.networks.centre_net import CentreNet
from hounsfield.models.store.manifest import Calibration
from hounsfield.models.training.detector.targets import CropNodule, detection_target
from hounsfield.preprocessing.working_volume import RIGHT_LUNG, WorkingVolume

SMALL = {"stem_channels": 4, "stage_channels": (6, 8, 10), "pyramid_channels": 8}
SIZE = 64


def a_volume(search=True):
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    affine[:3, 3] = (10, -20, 30)
    full = np.ones((SIZE,) * 3, bool)
    return WorkingVolume(
        np.full((SIZE,) * 3, -800, np.int16),
        full.astype(np.uint8) * RIGHT_LUNG,
        full & search,
        affine,
    )


def a_detector(marks=None, calibration=None):
    manifest = SimpleNamespace(hu_window=(-1000, 400), calibration=calibration or Calibration())
    weights = save(CentreNet(**SMALL).state_dict())
    network = torch_network(weights, lambda: CentreNet(**SMALL), threads=1)
    detector = HeatmapDetector(manifest, network)
    if marks is not None:
        detector._marks = lambda _: marks
    return detector


def marks_of(*nodules, score=0.9):
    target = detection_target(nodules, SIZE)
    heat = np.where(target.heat == 1, special.logit(score), -6)
    return np.concatenate((heat[None], target.regression)).astype(np.float32)


def test_a_nodule_drawn_as_a_target_is_read_back_in_place_and_size():
    nodule = CropNodule((21.3, 33.8, 40.1), 11.0)
    volume = a_volume()
    (found,) = a_detector(marks_of(nodule)).detect(volume)
    assert found.centre_world_mm == pytest.approx(volume.world_mm((40.1, 33.8, 21.3)), abs=1e-4)
    assert found.diameter_mm == pytest.approx(11.0, rel=1e-5)
    assert found.score == pytest.approx(0.9, abs=1e-5)


def test_a_mark_outside_the_search_mask_is_not_given():
    marks = marks_of(CropNodule((20, 20, 20), 8.0))
    assert a_detector(marks).detect(a_volume(search=False)) == []


def test_of_two_marks_on_one_nodule_the_better_is_kept():
    marks = marks_of(CropNodule((20, 20, 20), 30.0), CropNodule((30, 20, 20), 30.0))
    marks[0][marks[0] > 0] = (2.0, 1.0)
    (found,) = a_detector(marks).detect(a_volume())
    assert found.score == pytest.approx(special.expit(2.0), abs=1e-6)


def test_calibration_moves_the_score_and_nothing_else():
    marks = marks_of(CropNodule((20, 20, 20), 8.0), score=0.5)
    plain = a_detector(marks).detect(a_volume())[0]
    moved = a_detector(marks, Calibration(slope=2, intercept=1)).detect(a_volume())[0]
    assert moved.score == pytest.approx(special.expit(1.0), abs=1e-6)
    assert moved.centre_world_mm == plain.centre_world_mm


def test_a_volume_whose_size_the_network_cannot_take_is_padded():
    volume = a_volume()
    odd = WorkingVolume(
        volume.hu[:50, :33, :17],
        volume.lung_labels[:50, :33, :17],
        volume.search_mask[:50, :33, :17],
        volume.affine,
    )
    assert a_detector()._marks(odd).shape == (OUTPUT_CHANNELS, 64 // STRIDE, 48 // STRIDE, 8)
