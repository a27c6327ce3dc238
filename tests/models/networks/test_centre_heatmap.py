"""Heat-maps as the training draws them are read back as the nodules they were drawn from."""

import numpy as np
import pytest
from scipy import special

from hounsfield.models.networks.centre_heatmap import (
    HEAT,
    MAX_OFFSET_CELLS,
    OFFSET,
    OUTPUT_CHANNELS,
    STRIDE,
    decode_cells,
    find_peaks,
)
from hounsfield.models.training.augmentation.crop import CropNodule
from hounsfield.models.training.detector.targets import detection_target

SIZE = 64
EVERYWHERE = np.ones((SIZE,) * 3, bool)


def a_heatmap(*nodules, score=0.9):
    target = detection_target(nodules, SIZE)
    heat = np.where(target.heat == 1, special.logit(score), -6)
    return np.concatenate((heat[None], target.regression)).astype(np.float32)


def test_a_training_target_is_decoded_to_the_nodule_s_place_and_size():
    output = a_heatmap(CropNodule((21.3, 33.8, 40.1), 11.0))
    cells, logits = find_peaks(output, EVERYWHERE, min_logit=-4.0)
    centres, diameters = decode_cells(output, cells, diameter_range_mm=(2.0, 100.0))
    assert centres == pytest.approx(np.array([[21.3, 33.8, 40.1]]), abs=1e-4)
    assert diameters == pytest.approx([11.0], rel=1e-5)
    assert special.expit(logits) == pytest.approx([0.9], abs=1e-5)


def test_peaks_come_best_first_and_without_those_at_or_below_the_lowest_logit():
    output = a_heatmap(*(CropNodule((10.0, 10.0, x), 6.0) for x in (10.0, 30.0, 50.0)))
    cells = np.argwhere(output[HEAT] > 0)
    output[HEAT][tuple(cells.T)] = (-1.0, 3.0, 0.5)
    found, logits = find_peaks(output, EVERYWHERE, min_logit=-1.0)
    assert logits.tolist() == [3.0, 0.5]
    assert found.tolist() == cells[[1, 2]].tolist()


def test_a_peak_outside_the_search_mask_is_dropped():
    output = a_heatmap(CropNodule((20.0, 20.0, 20.0), 8.0))
    cells, _ = find_peaks(output, ~EVERYWHERE, min_logit=-4.0)
    assert len(cells) == 0


def test_offsets_and_diameters_outside_the_training_range_are_clipped():
    output = np.zeros((OUTPUT_CHANNELS, 4, 4, 4), np.float32)
    output[OFFSET] = 9.0
    output[-1] = 20.0
    centres, diameters = decode_cells(output, np.array([[1, 1, 1]]), diameter_range_mm=(2.0, 100.0))
    assert centres.tolist() == [[(1 + MAX_OFFSET_CELLS + 0.5) * STRIDE - 0.5] * 3]
    assert diameters.tolist() == [100.0]
