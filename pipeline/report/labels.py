"""Measurements in words: a label, a number and its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MALIGNANCY_NOTE = (
    "Malignancy rating: a network's estimate of the probability that radiologists would rate the "
    "finding 4 or 5 on the scale of 5 of LIDC-IDRI. It is their rating, not pathology."
)

_LABELS = {
    "volume_mm3": ("Volume", "{:.0f} mm\u00b3"),
    "mean_diameter_mm": ("Mean axial diameter", "{:.1f} mm"),
    "long_axis_mm": ("Long axial axis", "{:.1f} mm"),
    "short_axis_mm": ("Short axial axis", "{:.1f} mm"),
    "texture": ("Texture", "{}"),
    "solid_part_mm": ("Solid part, mean diameter", "{:.1f} mm"),
    "margin": ("Margin", "{}"),
    "mean_hu": ("Mean attenuation", "{:.0f} HU"),
    "sd_hu": ("Standard deviation", "{:.0f} HU"),
    "calcification_fraction": ("Above 200 HU", "{:.1%}"),
    "pleura_distance_mm": ("Distance to the lung's surface", "{:.1f} mm"),
    "malignancy": ("Malignancy rating", "{:.0%}"),
}
"""Label and format of each measurement, in the order of display; all others stay in report.json."""


def measurement_rows(measurements: Mapping[str, float | str]) -> Iterator[tuple[str, str]]:
    """List the measurements of a finding for display.

    Args:
        measurements: By name, units in the names; unknown names are left out.

    Yields:
        Label, and value with its unit.
    """
    for name, (label, _) in _LABELS.items():
        value = measurement_text(measurements, name)
        if value is not None:
            yield label, value


def measurement_text(measurements: Mapping[str, float | str], name: str) -> str | None:
    """Format one measurement with its unit.

    Args:
        measurements: By name, units in the names.
        name: The measurement to show, such as ``volume_mm3``.

    Returns:
        A text such as ``110 mm³`` or ``part-solid``; None where it was not measured.
    """
    value = measurements.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value.replace("_", "-")
    if name == "malignancy":
        return _probability(value)
    return _LABELS[name][1].format(value)


def _probability(value: float) -> str:
    """Whole per cent, without claiming certainty."""
    if value < 0.01:
        return "under 1%"
    return "over 99%" if value > 0.99 else f"{value:.0%}"
