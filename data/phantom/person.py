"""`Person`: the body measures of one phantom, drawn from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from hounsfield.data.phantom.settings import PhantomSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Measures in mm and HU.

    The chest frame has x to the left and y to the back from the middle of the thorax, and z to
    the head from the lowest recess of the lungs; the lungs' tips are at `lung_height_mm`.
    """

    female: bool
    age_years: int
    lung_height_mm: float
    thorax_half_width_mm: float
    thorax_half_depth_mm: float
    fat_mm: float
    muscle_mm: float
    vertebra_pitch_mm: float
    dome_height_right_mm: float
    dome_height_left_mm: float
    heart_scale: float
    vessel_scale: float
    arms_up: bool
    roll_rad: float
    centre_xy_mm: tuple[float, float]
    bottom_margin_mm: float
    lung_hu: float
    gravity_hu_per_mm: float
    emphysema: float
    blood_hu: float
    enhancement_hu: float
    bone_density: float
    stomach_gas: float
    calcification: float
    variation: tuple[float, ...]


def draw_person(rng: np.random.Generator, settings: PhantomSettings) -> Person:
    """Draws a person who fits the field of view: narrower or shorter where the scan is small.

    Args:
        rng: Random stream of the body; the number of draws does not depend on the settings.
        settings: Limits width and height, and fixes arms, emphysema and contrast where it has them.

    Returns:
        The person.
    """
    _, rows, columns = settings.shape_zyx
    field_mm = min(rows * settings.spacing_mm[1], columns * settings.spacing_mm[0])
    coverage_mm = settings.shape_zyx[0] * settings.spacing_mm[2]
    female = bool(rng.random() < 0.45)
    size = rng.normal(0.0, 1.0)
    height = (245.0 if female else 265.0) + 14.0 * size + rng.normal(0, 10.0)
    bottom = (coverage_mm - height) / 2
    if coverage_mm > 180:
        height = min(height, coverage_mm - 22.0)
        bottom = (coverage_mm - height) * rng.uniform(0.4, 0.65)
    half_width = (126.0 if female else 139.0) + 5.0 * size + rng.normal(0, 4.0)
    half_width = min(half_width, 0.425 * field_mm)
    dome = height * rng.uniform(0.17, 0.27)
    # Everything is drawn, set or not, so that one setting does not change the rest.
    contrast = float(rng.uniform(80, 280)) * (rng.random() > 0.55)
    emphysema = float(rng.uniform(0.03, 0.25)) * (rng.random() > 0.7)
    arms_up = rng.random() < 0.85
    return Person(
        female=female,
        age_years=int(rng.integers(45, 82)),
        lung_height_mm=height,
        thorax_half_width_mm=half_width,
        thorax_half_depth_mm=half_width * rng.uniform(0.63, 0.74),
        fat_mm=float(rng.gamma(3.0, 3.2) + (6.0 if female else 3.5)),
        muscle_mm=float(rng.uniform(9, 15) if female else rng.uniform(12, 22)),
        vertebra_pitch_mm=height / rng.uniform(10.6, 11.6),
        dome_height_right_mm=dome + 6.0,
        dome_height_left_mm=dome - rng.uniform(2, 14),
        heart_scale=float(rng.uniform(0.9, 1.12) * half_width / 135.0),
        vessel_scale=float(rng.uniform(0.9, 1.1)),
        arms_up=bool(arms_up if settings.arms is None else settings.arms == "up"),
        roll_rad=float(rng.normal(0, 0.025)),
        centre_xy_mm=(float(rng.normal(0, 4)), float(rng.normal(-4, 5))),
        bottom_margin_mm=bottom,
        lung_hu=float(rng.normal(-872, 18)),
        gravity_hu_per_mm=float(rng.uniform(0.15, 0.6)),
        emphysema=emphysema if settings.emphysema is None else settings.emphysema,
        blood_hu=float(rng.uniform(36, 48)),
        enhancement_hu=contrast if settings.contrast_hu is None else settings.contrast_hu,
        bone_density=float(rng.uniform(0.7, 1.15)),
        stomach_gas=float(rng.uniform(0.0, 1.0)),
        calcification=float(max(0.0, rng.normal(0.2, 0.5))),
        variation=tuple(float(v) for v in rng.uniform(-1, 1, size=24)),
    )
