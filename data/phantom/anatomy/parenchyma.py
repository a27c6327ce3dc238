"""The lung tissue between visible vessels: gravity, texture, fissures, emphysema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import smooth_noise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.phantom.anatomy.lungs import Lungs
    from hounsfield.data.phantom.grid import Grid
    from hounsfield.data.phantom.person import Person

FISSURE_HU = -560.0
FISSURE_HALF_WIDTH_MM = 0.8


@dataclass(frozen=True)
class Parenchyma:
    """HU of the lungs on the coarse grid, and a block of fine texture.

    Attributes:
        hu: Coarse field without fine texture.
        texture: Block of texture at `TEXTURE_MM`, standard deviation 1, that repeats.
        lungs: Supplies the fissures.
    """

    hu: NDArray[np.float32]
    texture: NDArray[np.float32]
    lungs: Lungs

    def plane(self, grid: Grid, index: int, lung_mm: NDArray[np.float32]) -> NDArray[np.float32]:
        """Composes the lung tissue of one fine slice.

        Args:
            grid: Fine and coarse samples.
            index: Number of the fine slice, from 0.
            lung_mm: Signed distance from the surface of the lungs at that slice, negative inside.

        Returns:
            HU, shape (rows, columns); valid only inside the lungs.
        """
        hu = grid.fine_plane(self.hu, index)
        hu += 17 * self._texture_plane(grid, index)
        for fissure in self.lungs.fissures_mm:
            away = grid.coarse_plane(fissure, index)
            if np.abs(away).min() > 30:
                continue
            distance = np.abs(grid.refine(away))
            fraction = np.exp(-((distance / FISSURE_HALF_WIDTH_MM) ** 2)) * (lung_mm < 0)
            hu += fraction * (FISSURE_HU - hu) * np.float32(0.45)
        return hu

    def _texture_plane(self, grid: Grid, index: int) -> NDArray[np.float32]:
        """A slice through the block, repeated over the image."""
        rows, columns = grid.shape_zyx[1:]
        step_z, step_y, step_x = grid.spacing_zyx_mm
        size = self.texture.shape[0]
        z = int(index * step_z / TEXTURE_MM) % size
        y = (np.arange(rows) * (step_y / TEXTURE_MM)).astype(int) % size
        x = (np.arange(columns) * (step_x / TEXTURE_MM)).astype(int) % size
        plane: NDArray[np.float32] = self.texture[z][y[:, None], x[None, :]]
        return plane


TEXTURE_MM = 0.8


def make_parenchyma(
    grid: Grid, person: Person, lungs: Lungs, rng: np.random.Generator
) -> Parenchyma:
    """Draws the fields: denser towards the back, patchy, with holes where there is emphysema.

    Args:
        grid: Supplies the coarse sample positions in the chest frame.
        person: Mean HU of the lungs, gradient along gravity, fraction of emphysema.
        lungs: Their surface and fissures.
        rng: Random stream of the patches, the emphysema and the texture.

    Returns:
        The lung tissue.
    """
    _, y, z = grid.coarse_chest
    hu = np.float32(person.lung_hu) + np.float32(person.gravity_hu_per_mm) * y
    hu = hu + 10 * smooth_noise(rng, grid.coarse_shape_zyx, 4.0)
    hu = hu + 9 * smooth_noise(rng, grid.coarse_shape_zyx, 1.2)
    # Denser just inside the pleura at the back, where the weight of the lung rests.
    rim = np.exp(np.clip(lungs.distance_mm + 3, None, 0) / 5) * np.clip(y / 80, 0, 1)
    hu = hu + 28 * rim
    if person.emphysema > 0:
        field = smooth_noise(rng, grid.coarse_shape_zyx, 1.3)
        upper = np.clip(z / person.lung_height_mm, 0, 1) ** 1.5
        cut = np.quantile(field, 1 - person.emphysema)
        hole = np.clip((field - cut) * 2.5, 0, 1) * upper
        hu = hu + hole * (-975 - hu)
    texture = smooth_noise(rng, (96, 96, 96), 1.0)
    return Parenchyma(hu.astype(np.float32), texture, lungs)
