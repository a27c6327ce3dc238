"""`paint_nodule`: draws a nodule with known answers into any chest CT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.phantom.fields import smooth_noise
from hounsfield.data.phantom.nodule_shape import draw_shape
from hounsfield.data.phantom.nodule_share import Placed
from hounsfield.data.phantom.tubes import paint_tubes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hounsfield.data.phantom.nodule_shape import NoduleShape
    from hounsfield.data.phantom.nodule_spec import NoduleSpec

    Box = tuple[slice, slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class PaintedNodule:
    """What was drawn.

    Attributes:
        centre_voxel_zyx: Centre of mass, fractional indices.
        diameter_mm: Of the sphere of equal volume.
        volume_mm3: Holes inside (a cavity) count, spicules do not.
        box: Where in the array `share` lies.
        share: Share of each voxel of the box that is nodule, 0 to 1.
    """

    centre_voxel_zyx: tuple[float, float, float]
    diameter_mm: float
    volume_mm3: float
    box: Box
    share: NDArray[np.float32]

    def mask(self, shape_zyx: tuple[int, ...]) -> NDArray[np.bool_]:
        """Voxels that are at least half nodule, on the whole grid."""
        mask = np.zeros(shape_zyx, bool)
        mask[self.box] = self.share >= 0.5
        return mask


def paint_nodule(
    hu: NDArray[np.float32] | NDArray[np.int16],
    spacing_mm_xyz: tuple[float, float, float],
    centre_voxel_zyx: tuple[float, float, float],
    spec: NoduleSpec,
    rng: np.random.Generator,
    *,
    lung_share: Callable[[Box], NDArray[np.float32]] | None = None,
    psf_sigma_mm_zyx: tuple[float, float, float] = (0.0, 0.0, 0.0),
    enhancement_hu: float = 0.0,
) -> PaintedNodule:
    """Draws a nodule into an array of HU, in place, with partial volume.

    Args:
        hu: ``[z, y, x]``, float32 or int16.
        spacing_mm_xyz: Voxel distances.
        centre_voxel_zyx: Where its centre of mass goes, fractional indices.
        spec: What to draw; its `place` is not looked at.
        rng: Decides shape and texture.
        lung_share: Gives, for a box of the array, the share of each voxel that is lung; the
            nodule is cut off outside. None draws all of it.
        psf_sigma_mm_zyx: Blur of the image it goes into, where that is already blurred.
        enhancement_hu: Contrast agent in the blood.

    Returns:
        The exact place and size of what was drawn. Where the lung cuts it, they are of what is
        left; otherwise of the shape itself, whatever the grid.
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
    allowed = lung_share(box) if lung_share is not None else None
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
    """Fills the shape with tissue of the asked density, core, hole and dead part."""
    tissue = rng.normal(34, 9) + rng.uniform(0.1, 0.35) * enhancement_hu
    texture = smooth_noise(rng, place.size_zyx, 1.6)
    off_centre = rng.normal(size=3) * 0.08 * spec.diameter_mm
    edge = rng.uniform(1.2, 3.0) if spec.density in {"ground_glass", "part_solid"} else 0.0
    share = place.blurred(place.sharp(shape, edge) if edge else sharp)
    if spec.density in {"ground_glass", "part_solid"}:
        glass = rng.uniform(-690, -480) + 38 * texture
        hu += share * np.maximum(glass - hu, 0)
        if spec.density == "part_solid":
            core = place.share(shape.shrunk(spec.solid_fraction, off_centre))
            hu += core * np.maximum(tissue + 10 * texture - hu, 0)
    else:
        fill = tissue + 5 * texture
        if spec.density == "calcified":
            whole = rng.random() < 0.5
            core = (
                share
                if whole
                else place.share(shape.shrunk(rng.uniform(0.4, 0.8), 0.5 * off_centre))
            )
            fill = fill + core * (rng.uniform(250, 1100) - fill)
        # In the lung the nodule takes the place of what was there; at the wall it joins it.
        gain = fill - hu
        if allowed is not None:
            gain = np.where(allowed > 0.98, gain, np.maximum(gain, 0))
        hu += share * gain
    for size, value in ((spec.necrosis, rng.uniform(8, 22)), (spec.cavity, -960.0)):
        if size > 0:
            hole = place.share(shape.shrunk(size, off_centre * (1 - size)))
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
    """Fine strands from the surface outward, thinner to their ends."""
    # So many that each slice shows several: a strand is some 2 mm wide, the nodule a diameter.
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
    """Place and size: the shape's own, or of what the lung and the array left of it."""
    low = np.array([s.start for s in box])
    share = sharp if allowed is None else sharp * allowed
    voxel_mm3 = float(np.prod(place.spacing_zyx_mm))
    volume = np.pi / 6 * spec.diameter_mm**3
    centre = place.centre_zyx
    drawn = float(share.sum()) * voxel_mm3
    if drawn < 0.985 * volume:
        indices = np.indices(share.shape, dtype=np.float32).reshape(3, -1)
        centre = (indices * share.ravel()).sum(1) / max(float(share.sum()), 1e-9)
        volume = drawn
    z, y, x = (float(v) for v in centre + low)
    return PaintedNodule(
        (z, y, x), float((6 * volume / np.pi) ** (1 / 3)), float(volume), box, share
    )
