"""A chest of a few ellipsoids, for tests of the lungs and of the quality verdict."""

from __future__ import annotations

import numpy as np

from preprocessing.volume import SeriesFacts, Volume

SPACING_XYZ = (2.0, 2.0, 3.0)
SIZE_MM = (400.0, 320.0, 340.0)
RIGHT_CENTRE, LEFT_CENTRE = (-70.0, 0.0, 0.0), (70.0, 0.0, 0.0)
LUNG_RADII = (55.0, 85.0, 120.0)
CHEST = SeriesFacts("1.2", "1.2.3", body_part_examined="CHEST")


class Chest:
    """Paints HU by ellipsoids at places in LPS mm; the middle of the chest is the origin.

    The body is at 40 HU, each lung at -860 with vessels, with a trachea and two main bronchi.
    """

    def __init__(self, *, noise_hu: float = 15.0, lungs: str = "right left"):
        self.shape_zyx = tuple(
            round(size / step) for size, step in zip(SIZE_MM[::-1], SPACING_XYZ[::-1], strict=True)
        )
        self.origin = -np.asarray(SIZE_MM) / 2
        axes = [
            start + step * np.arange(count)
            for start, step, count in zip(
                self.origin, SPACING_XYZ, self.shape_zyx[::-1], strict=True
            )
        ]
        self.z, self.y, self.x = np.meshgrid(*axes[::-1], indexing="ij", sparse=True)
        self.rng = np.random.default_rng(3)
        self.noise_hu = noise_hu
        self.hu = np.full(self.shape_zyx, -1000.0, dtype=np.float32)
        self.hu[self.inside((0, 0, 0), (175, 125, 1e4))] = 40
        self.table = self.hu.copy()
        self.hu[:, int(0.95 * self.shape_zyx[1])] = 150
        for name, centre in (("right", RIGHT_CENTRE), ("left", LEFT_CENTRE)):
            if name in lungs:
                self.paint_lung(centre)
        self.paint((0, -10, 95), (9, 9, 95), -1000)
        for side in (-1, 1):
            self.paint((side * 16, -8, -2), (20, 7, 8), -1000)

    def inside(self, centre, radii):
        """The voxels of an ellipsoid."""
        return (
            ((self.x - centre[0]) / radii[0]) ** 2
            + ((self.y - centre[1]) / radii[1]) ** 2
            + ((self.z - centre[2]) / radii[2]) ** 2
        ) <= 1

    def paint(self, centre, radii, hu):
        """Fills an ellipsoid."""
        where = self.inside(centre, radii)
        self.hu[where] = hu
        return where

    def paint_lung(self, centre, radii=LUNG_RADII, hu=-860.0):
        """An ellipsoid of lung, a tenth of it vessels."""
        where = self.paint(centre, radii, hu)
        vessels = self.rng.random((self.shape_zyx[0], *self.shape_zyx[1:])) < 0.04
        self.hu[where & vessels] = -100

    def volume(self, facts: SeriesFacts = CHEST) -> Volume:
        """The chest with noise, axial, head first."""
        noisy = self.hu + self.rng.normal(0, self.noise_hu, self.shape_zyx).astype(np.float32)
        affine = np.diag([*SPACING_XYZ, 1.0])
        affine[:3, 3] = self.origin
        return Volume(np.rint(noisy).astype(np.int16), affine, facts)
