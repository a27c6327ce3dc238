"""The diaphragm, and liver, spleen and stomach below it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.thorax import profile
from hounsfield.data.phantom.fields import ellipsoid, normalised, smooth_intersection, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.thorax import Thorax
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person


@dataclass(frozen=True)
class Abdomen:
    """Signed distances on the coarse grid, mm, negative inside.

    Attributes:
        below_mm: Distance from the upper surface of the diaphragm, negative below it.
        liver_mm: Distance from the surface of the liver.
        spleen_mm: Distance from the surface of the spleen.
        stomach_mm: Distance from the surface of the stomach.
        gas_front_mm: Chest frame y in front of which the stomach holds gas.
    """

    below_mm: NDArray[np.float32]
    liver_mm: NDArray[np.float32]
    spleen_mm: NDArray[np.float32]
    stomach_mm: NDArray[np.float32]
    gas_front_mm: float


def make_abdomen(grid: Grid, person: Person, thorax: Thorax, rng: np.random.Generator) -> Abdomen:
    """Raises the two domes of the diaphragm and fills the space below.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Heights of the domes, width of the thorax, gas in the stomach.
        thorax: Its radius ends the domes at the chest wall.
        rng: Random stream that bends the domes.

    Returns:
        The diaphragm and the organs below it.
    """
    x, y, z = grid.coarse_chest
    half_width = person.thorax_half_width_mm
    right, left = person.dome_height_right_mm, person.dome_height_left_mm
    side = np.clip(x / 30, -1, 1) * 0.5 + 0.5
    top = right + (left - right) * side
    ridge = np.exp(-((x / 26) ** 2))
    depth = (y - (profile(person, z, "back") + profile(person, z, "front")) / 2) / (
        person.thorax_half_depth_mm
    )
    # Each half has a dome of its own; both end at the wall.
    lateral = (np.abs(x) / profile(person, z, "half_width") - 0.46) / 0.54
    lateral = np.where(lateral > 0, lateral, 0.8 * lateral)
    crown = 1 - np.clip(np.hypot(lateral, 0.98 * depth), 0, 1.2) ** 3.6
    crown = crown - np.clip(thorax.radius - 0.86, 0, 0.3) * 1.6
    bend = smooth_noise(rng, grid.coarse_shape_zyx[1:], 9.0)
    dome = top * crown - 4 * ridge - 0.22 * top * depth + 2.0 * bend + 4
    below = normalised((z - dome).astype(np.float32))
    height = person.dome_height_right_mm
    liver = ellipsoid(
        grid,
        (-0.42 * half_width, -2, 0.10 * height),
        (0.86 * half_width, 105, 1.6 * height),
        (0, 0.15),
    )
    liver = smooth_intersection(liver, below + 2.2, 4)
    spleen = ellipsoid(grid, (0.70 * half_width, 38, 0.10 * left), (36, 56, 1.2 * left), (0.5, 0.2))
    spleen = smooth_intersection(spleen, below + 2.4, 4)
    stomach = ellipsoid(
        grid, (0.44 * half_width, -18, 0.05 * left), (52, 58, 1.3 * left), (0.2, -0.2)
    )
    stomach = smooth_intersection(stomach, below + 2.6, 5)
    stomach = np.maximum(np.maximum(stomach, 3 - spleen), 3 - liver)
    gas = -18 - 50 + 80 * person.stomach_gas * 0.6
    return Abdomen(below, liver, spleen, stomach.astype(np.float32), gas)
