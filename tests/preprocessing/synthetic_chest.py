"""A chest of a few ellipsoids, for tests of the lungs and of the quality verdict."""

from __future__ import annotations

import numpy as np

from hounsfield.preprocessing.volume import SeriesFacts, Volume, apply_affine

SPACING_XYZ = (2.0, 2.0, 3.0)
SIZE_XYZ_MM = (400.0, 320.0, 339.0)
RIGHT_CENTRE, LEFT_CENTRE = (-70.0, 0.0, 0.0), (70.0, 0.0, 0.0)
LUNG_RADII = (55.0, 85.0, 120.0)
CHEST = SeriesFacts("1.2", "1.2.3", body_part_examined="CHEST")


class SyntheticChest:
    """Paints HU by ellipsoids at positions in LPS mm; the middle of the chest is the origin.

    The body is at 40 HU on a table, each lung at -860 with vessels, with a trachea that ends in
    two main bronchi.
    """

    def __init__(self, *, lungs: tuple[str, ...] = ("right", "left")):
        self.origin = -np.asarray(SIZE_XYZ_MM) / 2
        axes = [
            np.arange(start, -start, step)
            for start, step in zip(self.origin, SPACING_XYZ, strict=True)
        ]
        self.z, self.y, self.x = np.meshgrid(*axes[::-1], indexing="ij", sparse=True)
        self.rng = np.random.default_rng(3)
        self.hu = np.full([len(axis) for axis in axes[::-1]], -1000.0, dtype=np.float32)
        self.paint((0, 0, 0), (175, 125, 1e4), 40)
        self.hu[:, -8] = 150
        for name, centre in (("right", RIGHT_CENTRE), ("left", LEFT_CENTRE)):
            if name in lungs:
                self.paint_lung(centre, LUNG_RADII)
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
        self.hu[self.inside(centre, radii)] = hu

    def paint_lung(self, centre, radii, hu=-860.0):
        """Fills an ellipsoid with lung, a twenty-fifth of it vessels."""
        where = self.inside(centre, radii)
        self.hu[where] = hu
        self.hu[where & (self.rng.random(self.hu.shape) < 0.04)] = -100

    def volume(self, *, facts=CHEST, noise_hu=15.0) -> Volume:
        """The chest with noise: axial, x to the left, y to the back, z to the head."""
        noisy = self.hu + noise_hu * self.rng.standard_normal(self.hu.shape, dtype=np.float32)
        affine = np.diag([*SPACING_XYZ, 1.0])
        affine[:3, 3] = self.origin
        return Volume(np.rint(noisy).astype(np.int16), affine, facts)


def crop(volume: Volume, z=slice(None), y=slice(None), x=slice(None)) -> Volume:
    """A part of a volume, at the same position in the world."""
    start = [
        part.indices(size)[0] for part, size in zip((x, y, z), volume.hu.shape[::-1], strict=True)
    ]
    affine = volume.affine.copy()
    affine[:3, 3] = volume.world_mm(start)
    return Volume(volume.hu[z, y, x].copy(), affine, volume.series)


def reordered(volume: Volume, order_zyx, flipped) -> Volume:
    """The same patient stored with other axes: a permutation of (0, 1, 2) and axes to flip."""
    hu = np.flip(volume.hu.transpose(order_zyx), flipped)
    affine = volume.affine.copy()
    for axis, source in enumerate(order_zyx):
        affine[:3, 2 - axis] = volume.affine[:3, 2 - source]
    for axis in flipped:
        affine[:3, 3] += affine[:3, 2 - axis] * (hu.shape[axis] - 1)
        affine[:3, 2 - axis] *= -1
    return Volume(np.ascontiguousarray(hu), affine, volume.series)


def value_at(values, affine, world_mm):
    """The value of the voxel nearest to a position in LPS mm."""
    x, y, z = np.rint(apply_affine(np.linalg.inv(affine), world_mm)).astype(int)
    return values[z, y, x]
