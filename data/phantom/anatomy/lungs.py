"""The lungs: the space left to them, their lobes and fissures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import smooth_intersection, smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.abdomen import Abdomen
    from hounsfield.data.phantom.anatomy.mediastinum import Mediastinum
    from hounsfield.data.phantom.anatomy.thorax import Thorax
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person

PLEURA_MM = 1.2


@dataclass(frozen=True)
class Lungs:
    """Coarse fields of both lungs.

    Attributes:
        distance_mm: Distance from the lungs' surface, negative inside.
        fissures_mm: Distance from the oblique (0) and the horizontal (1) fissure, positive above;
            the horizontal one is far away outside the right lung's upper and middle lobes.
        middle_x_mm: Chest frame x that parts right from left.
    """

    distance_mm: NDArray[np.float32]
    fissures_mm: tuple[NDArray[np.float32], NDArray[np.float32]]
    middle_x_mm: float = 3.0


def make_lungs(
    grid: Grid,
    person: Person,
    thorax: Thorax,
    mediastinum: Mediastinum,
    abdomen: Abdomen,
    rng: np.random.Generator,
) -> Lungs:
    """Makes the lungs: the space that chest wall, mediastinum and diaphragm leave.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Height of the lungs and individual variation of the fissures.
        thorax: The inner surface of the chest wall bounds the lungs.
        mediastinum: Its space is taken from the lungs.
        abdomen: The diaphragm bounds the lungs below.
        rng: Random stream that bends the fissures.

    Returns:
        The lungs' coarse fields.
    """
    x, y, z = grid.coarse_chest
    height, v = person.lung_height_mm, person.variation
    distance = smooth_intersection(thorax.wall_mm + PLEURA_MM, -mediastinum.space_mm, 7)
    distance = smooth_intersection(distance, 1.0 - abdomen.below_mm, 4)
    distance = smooth_intersection(distance, (z - height) * np.float32(0.8), 16)
    bend = smooth_noise(rng, grid.coarse_shape_zyx, 8.0)
    slope = np.where(x < 0, 0.86 + 0.1 * v[5], 0.98 + 0.1 * v[6])
    middle = np.where(x < 0, (0.42 + 0.03 * v[7]) * height, (0.44 + 0.03 * v[8]) * height)
    bow = 14 * ((np.abs(x) - 70) / 60) ** 2
    oblique = (z - middle - slope * y * 0.9 + bow + 4 * bend) / np.sqrt(1 + slope**2)
    oblique = oblique.astype(np.float32)
    level = (0.49 + 0.02 * v[9]) * height
    horizontal = (z - level - 0.12 * (y + 20) + 8 * ((x + 70) / 60) ** 2 + 3 * bend).astype(
        np.float32
    )
    horizontal = np.where((x < 0) & (oblique > 0), horizontal, np.float32(300))
    return Lungs(distance.astype(np.float32), (oblique, horizontal))


def lobes(
    lungs: Lungs, points_zyx: tuple[NDArray[np.intp], ...], x_mm: NDArray[np.float32]
) -> NDArray[np.int8]:
    """Assigns coarse samples to lobes.

    Args:
        lungs: Fields of the fissures on the coarse grid.
        points_zyx: Index arrays of the samples on the coarse grid, each of shape (n,).
        x_mm: Chest frame x of the samples, shape (n,).

    Returns:
        Shape (n,): 0, 1, 2 right upper, middle, lower lobe; 3, 4 left upper, lower lobe.
    """
    oblique, horizontal = (f[points_zyx] for f in lungs.fissures_mm)
    right = np.where(oblique <= 0, 2, np.where(horizontal > 0, 0, 1))
    left = np.where(oblique <= 0, 4, 3)
    return np.where(x_mm < lungs.middle_x_mm, right, left).astype(np.int8)
