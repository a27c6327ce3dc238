"""Synthetic spheres at random places of real lungs, away from vessels and pleura."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.data.phantom import NoduleSpec, paint_nodule
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.quality.pixels import noise_hu
from hounsfield.preprocessing.volume import Volume
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.lungs.segment import Lungs
    from hounsfield.preprocessing.working_volume import WorkingVolume

AERATED_BELOW_HU = -500.0
"""After smoothing with a Gaussian of 1 mm: vessels thinner than 2 mm count as aerated."""

FREE_MM = 1.5
"""Smallest distance of a sphere from what is not aerated lung."""

APART_MM = 25.0
"""Smallest distance of the centres of two spheres."""

PSF_SIGMA_MM_ZYX = (0.0, 0.5, 0.5)
"""In-plane blur of a soft kernel. Along z a sphere is averaged over the slice distance."""

DEFAULT_NOISE_HU = 15.0
MAX_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class SphereKind:
    """Size and density of spheres.

    Attributes:
        diameter_mm: Diameter of the sphere of equal volume.
        density: One of `NoduleSpec`'s densities.
    """

    diameter_mm: float
    density: str

    @property
    def volume_mm3(self) -> float:
        """The true volume."""
        return float(np.pi / 6 * self.diameter_mm**3)


@dataclass(frozen=True, slots=True)
class Sphere:
    """A sphere to paint: its centre in LPS mm, and its kind."""

    centre_world_mm: tuple[float, float, float]
    kind: SphereKind


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A chest into which spheres are painted.

    Attributes:
        name: Name in the tables.
        volume: The series in HU on its native grid.
        lungs: Its lungs, found once: a few interpolated slices do not move them.
        working: The working volume without spheres.
        clearance_mm: float32 on the grid of `working`: distance to what is not aerated lung.
        noise_hu: Standard deviation of the noise in soft tissue.
    """

    name: str
    volume: Volume
    lungs: Lungs
    working: WorkingVolume
    clearance_mm: NDArray[np.float32]
    noise_hu: float


def make_background(name: str, volume: Volume) -> Background:
    """Finds the lungs of a chest and where in them spheres can lie.

    Args:
        name: Name in the tables.
        volume: An upright axial series on its native grid.

    Returns:
        The chest with its free places.
    """
    lungs = find_lungs(volume)
    working = to_working_volume(volume, lungs)
    smooth = ndimage.gaussian_filter(working.hu.astype(np.float32), 1.0)
    aerated = (smooth < AERATED_BELOW_HU) & (working.lung_labels > 0)
    clearance = ndimage.distance_transform_edt(aerated, sampling=working.spacing_mm[::-1])
    noise = noise_hu(volume.hu) or DEFAULT_NOISE_HU
    return Background(name, volume, lungs, working, clearance.astype(np.float32), noise)


def place_spheres(
    background: Background,
    kinds: Sequence[SphereKind],
    rng: np.random.Generator,
    *,
    layers: Sequence[int] | None = None,
) -> list[Sphere]:
    """Draws random places that are free, and far from one another.

    Args:
        background: The chest.
        kinds: One for each sphere; one that finds no place is left out.
        rng: Source of all random choices.
        layers: Native slices near which the spheres lie: the middle of such a slice is at a
            random height inside each sphere. None spreads them over the whole lungs.

    Returns:
        The spheres, in the order of `kinds`.
    """
    working, spheres = background.working, list[Sphere]()
    to_world, to_working = background.volume.world_mm, working.voxel_xyz
    heights = np.flatnonzero((background.clearance_mm > 0).any(axis=(1, 2)))
    for kind in kinds:
        for _ in range(MAX_ATTEMPTS):
            if layers is None:
                height = rng.uniform(heights[0], heights[-1])
            else:
                layer = to_working(to_world((0.0, 0.0, rng.choice(layers))))[2]
                offset_mm = rng.uniform(-0.5, 0.5) * kind.diameter_mm
                height = layer + offset_mm / working.spacing_mm[2]
            centre = _free_place(background, kind, float(height), rng)
            if centre is not None and _far_from(centre, spheres):
                spheres.append(Sphere(centre, kind))
                break
    return spheres


def paint_spheres(
    background: Background, spheres: Sequence[Sphere], rng: np.random.Generator
) -> Volume:
    """Paints spheres with partial volume, in-plane blur, and the noise of the series.

    Args:
        background: The chest, which is not changed.
        spheres: Where they lie, and what they are.
        rng: Source of the tissue's density, of small bumps, and of the noise.

    Returns:
        A new volume on the native grid.
    """
    volume = background.volume
    hu = volume.hu.copy()
    for sphere in spheres:
        x, y, z = volume.voxel_xyz(sphere.centre_world_mm).tolist()
        kind = sphere.kind
        painted = paint_nodule(
            hu,
            volume.spacing_mm,
            (z, y, x),
            NoduleSpec(diameter_mm=kind.diameter_mm, density=kind.density, elongation=1.0),
            rng,
            psf_sigma_mm_zyx=PSF_SIGMA_MM_ZYX,
        )
        # The tissue took the place of the noise too. Pixels of real noise are correlated.
        noise = ndimage.gaussian_filter(rng.standard_normal(painted.fraction.shape), (0, 0.7, 0.7))
        noise *= background.noise_hu / noise.std()
        hu[painted.box] += np.rint(painted.fraction * noise).astype(np.int16)
    return Volume(hu, volume.affine, volume.series)


def _free_place(
    background: Background, kind: SphereKind, height: float, rng: np.random.Generator
) -> tuple[float, float, float] | None:
    """A random place at a height (in slices of the working volume) with room for the sphere."""
    clearance = background.clearance_mm
    plane = round(height)
    if not 0 <= plane < len(clearance):
        return None
    free = np.argwhere(clearance[plane] >= kind.diameter_mm / 2 + FREE_MM)
    if not len(free):
        return None
    y, x = free[int(rng.integers(len(free)))] + rng.uniform(-0.5, 0.5, 2)
    world = background.working.world_mm((x, y, height)).tolist()
    return (world[0], world[1], world[2])


def _far_from(centre: tuple[float, float, float], spheres: Sequence[Sphere]) -> bool:
    return all(
        np.linalg.norm(np.subtract(centre, sphere.centre_world_mm)) >= APART_MM
        for sphere in spheres
    )
