"""Findings made by hand."""

from hounsfield.models.findings import (
    ConfidenceBand,
    Finding,
    Lung,
    LungLocation,
    NoduleMeasurements,
    Zone,
)
from hounsfield.models.measurements.density import Texture
from hounsfield.models.measurements.margin import Margin


def make_measurements(**changes):
    """Measurements of a smooth solid nodule of 10 mm."""
    values = {
        "volume_mm3": 524.0,
        "sphere_diameter_mm": 10.0,
        "long_axis_mm": 10.0,
        "short_axis_mm": 10.0,
        "mean_diameter_mm": 10.0,
        "mean_hu": 30.0,
        "sd_hu": 20.0,
        "solid_fraction": 1.0,
        "solid_part_mm": None,
        "calcification_fraction": 0.0,
        "texture": Texture.SOLID,
        "solidity": 1.0,
        "margin": Margin.SMOOTH,
        "pleura_distance_mm": 20.0,
    }
    return NoduleMeasurements(**(values | changes))


def make_finding(**changes):
    """A finding of 10 mm in the left upper zone; measured only where measurements are given."""
    values = {
        "centre_world_mm": (10.0, -20.0, 30.5),
        "diameter_mm": 10.0,
        "score": 0.9,
        "class_probabilities": (0.1, 0.62, 0.2, 0.08),
        "confidence_band": ConfidenceBand.REVIEW,
        "location": LungLocation(Lung.LEFT, Zone.UPPER),
    }
    return Finding(**(values | changes))
