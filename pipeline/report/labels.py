"""Measurements as a reader sees them: a name, a number, a unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SHOWN = {
    "volume_mm3": ("Volume", "{:.0f} mm\u00b3"),
    "mean_diameter_mm": ("Mean axial diameter", "{:.1f} mm"),
    "long_axis_mm": ("Long axial axis", "{:.1f} mm"),
    "short_axis_mm": ("Short axial axis", "{:.1f} mm"),
    "texture": ("Texture", "{}"),
    "solid_part_mm": ("Solid part, mean diameter", "{:.1f} mm"),
    "margin": ("Margin", "{}"),
    "mean_hu": ("Mean density", "{:.0f} HU"),
    "sd_hu": ("Standard deviation", "{:.0f} HU"),
    "calcification_fraction": ("Above 200 HU", "{:.1%}"),
    "pleura_distance_mm": ("To the lung's surface", "{:.1f} mm"),
    "malignancy": ("Radiologists would call it suspicious", "{:.0%} (their rating, not pathology)"),
}
"""Name and form, in the order in which they are shown; all others stay in report.json."""


def measurement_rows(measurements: Mapping[str, float | str]) -> Iterator[tuple[str, str]]:
    """Label and value of what was measured on a finding."""
    for name, (label, form) in _SHOWN.items():
        value = measurements.get(name)
        if value is not None:
            shown = value.replace("_", "-") if isinstance(value, str) else value
            yield label, form.format(shown)
