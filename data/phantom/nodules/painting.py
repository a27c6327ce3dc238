"""`paint_nodule`: paints a synthetic nodule with known ground truth into any chest CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.anatomy.tubes import paint_tubes
from hounsfield.data.phantom.fields import smooth_noise
from hounsfield.data.phantom.nodules.shape import draw_shape
from hounsfield.data.phantom.nodules.voxel_fractions import Placed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.data.phantom.nodules.shape import NoduleShape
    from hounsfield.data.phantom.nodules.spec import NoduleSpec

    Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class PaintedNodule:
    """Ground truth of a painted nodule.

    Attributes:
        centre_voxel_zyx: Centre of mass, fractional indices.
        diameter_mm: Diameter of the sphere of equal volume.
        volume_mm3: A cavity counts, spicules do not.
        box: Position of `fraction` in the array.
        fraction: Fraction of each voxel of the box that is nodule, 0 to 1.
    """

    centre_voxel_zyx: tuple[float, float, float]
    diameter_mm: float
    volume_mm3: float
    box: Box
    fraction: NDArray[np.float32]

    def mask(self, shape_zyx: tuple[int, ...]) -> NDArray[np.bool_]:
        """Marks the voxels that are at least half nodule, on a grid of the given shape."""
        mask = np.zeros(shape_zyx, bool)
        mask[self.box] = self.fraction >= 0.5
        return mask


def paint_nodule(
    hu: NDArray[np.float32] | NDArray[np.int16],
    spacing_mm_xyz: tuple[float, float, float],
    centre_voxel_zyx: tuple[float, float, float],
    spec: NoduleSpec,
    rng: np.random.Generator,
    *,
    lung_fraction: Callable[[Box], NDArray[np.float32]] | None = None,
    psf_sigma_mm_zyx: tuple[float, float, float] = (0.0, 0.0, 0.0),
    enhancement_hu: float = 0.0,
) -> PaintedNodule:
    """Paints a nodule into an array of HU with partial volume.

    Args:
        hu: ``[z, y, x]``, float32 or int16; changed in place.
        spacing_mm_xyz: Distances of voxel centres along (x, y, z).
        centre_voxel_zyx: Position of its centre of mass, fractional indices.
        spec: Specification of the nodule; its `place` is not used.
        rng: Random stream that decides shape and texture.
        lung_fraction: Gives, for a box of the array, the fraction of each voxel that is lung; the
            nodule is cut off outside. None paints all of it.
        psf_sigma_mm_zyx: Blur of the image it goes into, where that is already blurred.
        enhancement_hu: Enhancement of the blood by contrast agent.

    Returns:
        The exact position and size of the painted nodule. Where the lung cuts it, they describe
        the remainder; otherwise the shape itself, independent of the grid.

    Raises:
        ValueError: The nodule lies outside the array.
    """
    spacing = np.asarray(spacing_mm_xyz[::-1], dtype=np.float64)
    centre = np.asarray(centre_voxel_zyx, dtype=np.float64)
    shape = draw_shape(spec.diameter_mm, spec.margin, spec.elongation, rng)
    spicule_mm = min(0.45 * spec.diameter_mm, 14.0) if spec.margin == "spiculated" else 0.0
    reach = (shape.reach_mm + spicule_mm + 2 + 3 * np.asarray(psf_sigma_mm_zyx)) / spacing
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach) + 1, hu.shape).astype(int)
    if np.any(high <= low):
        msg = f"centre_voxel_zyx must lie in the array of shape {hu.shape}, got {centre_voxel_zyx}"
        raise ValueError(msg)
    box = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
    place = Placed(centre - low, spacing, tuple(high - low), np.asarray(psf_sigma_mm_zyx))
    allowed = lung_fraction(box) if lung_fraction is not None else None
    before = hu[box].astype(np.float32)
    sharp = place.sharp(shape)
    after = _draw(before.copy(), shape, sharp, place, spec, rng, allowed, enhancement_hu)
    if spicule_mm:
        _paint_spicules(after, shape, place, spicule_mm, spec, rng)
    if allowed is not None:
        free = np.clip(2 * allowed, 0, 1)
        after = before + np.where(allowed > 0.98, 1, free) * (after - before)
    hu[box] = np.rint(after) if hu.dtype.kind == "i" else after
    return _truth(sharp, place, spec, box, allowed)


def _draw(
    hu: NDArray[np.float32],
    shape: NoduleShape,
    sharp: NDArray[np.float32],
    place: Placed,
    spec: NoduleSpec,
    rng: np.random.Generator,
    allowed: NDArray[np.float32] | None,
    enhancement_hu: float,
) -> NDArray[np.float32]:
    """Fills the shape with tissue of the specified density, core, cavity and necrosis."""
    tissue = rng.normal(34, 9) + rng.uniform(0.1, 0.35) * enhancement_hu
    texture = smooth_noise(rng, place.size_zyx, 1.6)
    off_centre = rng.normal(size=3) * 0.08 * spec.diameter_mm
    edge = rng.uniform(1.2, 3.0) if spec.density in {"ground_glass", "part_solid"} else 0.0
    fraction = place.blurred(place.sharp(shape, edge) if edge else sharp)
    if spec.density in {"ground_glass", "part_solid"}:
        glass = rng.uniform(-690, -480) + 38 * texture
        hu += fraction * np.maximum(glass - hu, 0)
        if spec.density == "part_solid":
            core = place.fraction(shape.shrunk(spec.solid_fraction, off_centre))
            hu += core * np.maximum(tissue + 10 * texture - hu, 0)
    else:
        fill = tissue + 5 * texture
        if spec.density == "calcified":
            whole = rng.random() < 0.5
            core = (
                fraction
                if whole
                else place.fraction(shape.shrunk(rng.uniform(0.4, 0.8), 0.5 * off_centre))
            )
            fill = fill + core * (rng.uniform(250, 1100) - fill)
        # In the lung the nodule takes the place of what was there; at the wall it joins it.
        gain = fill - hu
        if allowed is not None:
            gain = np.where(allowed > 0.98, gain, np.maximum(gain, 0))
        hu += fraction * gain
    for size, value in ((spec.necrosis, rng.uniform(8, 22)), (spec.cavity, -960.0)):
        if size > 0:
            hole = place.fraction(shape.shrunk(size, off_centre * (1 - size)))
            hu += hole * (value - hu)
    return hu


def _paint_spicules(
    hu: NDArray[np.float32],
    shape: NoduleShape,
    place: Placed,
    length_mm: float,
    spec: NoduleSpec,
    rng: np.random.Generator,
) -> None:
    """Paints fine strands outward from the surface, tapering to their ends."""
    # Enough that each slice shows several: a strand is some 2 mm wide, the nodule a diameter.
    count = int(min(max(4 * spec.diameter_mm, 30), 220) * rng.uniform(0.6, 1.3))
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    bend = 0.25 * rng.normal(size=(count, 3))
    root = shape.radius_mm(direction).astype(np.float64)
    length = length_mm * rng.uniform(0.25, 1.0, count)
    pieces = 8
    t = np.linspace(0, 1, pieces + 1)
    along = root[:, None] * 0.85 + t * (length + 0.15 * root)[:, None]
    line = (
        along[:, :, None] * direction[:, None]
        + (t**2 * length[:, None])[:, :, None] * bend[:, None]
    )
    voxel = (line + shape.shift_mm)[..., ::-1] / place.spacing_zyx_mm + place.centre_zyx
    thick = rng.uniform(0.6, 1.5, count) * min(1.0, spec.diameter_mm / 14)
    radius = thick[:, None] * (1 - 0.75 * (t[:-1] + t[1:]) / 2)
    faint = {"ground_glass": -560.0, "part_solid": -260.0}.get(spec.density, 0.0)
    paint_tubes(
        hu,
        place.spacing_zyx_mm,
        voxel[:, :-1].reshape(-1, 3),
        voxel[:, 1:].reshape(-1, 3),
        radius.ravel(),
        value_hu=faint,
        background_hu=-860.0,
    )


def _truth(
    sharp: NDArray[np.float32],
    place: Placed,
    spec: NoduleSpec,
    box: Box,
    allowed: NDArray[np.float32] | None,
) -> PaintedNodule:
    """Position and size: the shape's own, or those of what the lung and the array left of it."""
    low = np.array([s.start for s in box])
    fraction = sharp if allowed is None else sharp * allowed
    voxel_mm3 = float(np.prod(place.spacing_zyx_mm))
    volume = np.pi / 6 * spec.diameter_mm**3
    centre = place.centre_zyx
    painted = float(fraction.sum()) * voxel_mm3
    if painted < 0.985 * volume:
        indices = np.indices(fraction.shape, dtype=np.float32).reshape(3, -1)
        centre = (indices * fraction.ravel()).sum(1) / max(float(fraction.sum()), 1e-9)
        volume = painted
    z, y, x = (float(v) for v in centre + low)
    return PaintedNodule(
        (z, y, x), float((6 * volume / np.pi) ** (1 / 3)), float(volume), box, fraction
    )
