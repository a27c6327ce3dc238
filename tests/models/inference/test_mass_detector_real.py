"""The shipped mass detector on three real chests that it was not trained on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hounsfield.models.inference.loading import load_mass_detector
from hounsfield.models.store.folders import model_folder
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from tests.real_series import REAL, needs_real_series

pytestmark = [pytest.mark.real, needs_real_series]

TUMOUR_CENTRE_MM = (59.0, 142.0, -944.0)
"""Centre of the contour that comes with 4D-Lung 113, LPS mm."""


@cache
def masses(name):
    """The candidates of a real series at the default threshold."""
    [series] = [entry for entry in discover([REAL / name / "ct"]).series if entry.readable]
    detector = load_mass_detector(model_folder("mass_detector"), threads=2)
    candidates = detector.detect(find_lungs(read_volume(series)))
    return [mass for mass in candidates if mass.score >= detector.default_threshold]


@pytest.mark.parametrize("name", ["lidc-idri-0001", "lidc-idri-0012"])
def test_a_chest_without_a_mass_has_none(name):
    assert all(mass.diameter_mm < 30 for mass in masses(name))


def test_a_tumour_at_the_mediastinum_is_one_candidate():
    [mass] = masses("4d-lung-113")
    error_mm = np.linalg.norm(np.subtract(mass.centre_world_mm, TUMOUR_CENTRE_MM))
    assert error_mm < 25
