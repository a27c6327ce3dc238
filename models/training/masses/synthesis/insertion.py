"""Inserts a mass into a chest: its shape, its tissue, and the opaque lung behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.measurements.size import long_axis_by_moments_mm, sphere_diameter_mm
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS, SyntheticMass
from hounsfield.models.training.masses.synthesis.fields import (
    box_around,
    offsets,
    smooth_noise,
    tubes,
)
from hounsfield.models.training.masses.synthesis.shapes import Shape, draw_shape
from hounsfield.preprocessing.lungs.morphology import dilate
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.training.masses.synthesis.canvas import Canvas
    from hounsfield.models.training.masses.synthesis.fields import Field
    from hounsfield.models.training.masses.synthesis.sites import Contact, Site

MIN_AERATED_FRACTION = 0.35
"""At least this fraction of a mass replaces aerated lung, so that it can be seen."""

BONE_HU = 180
"""Outside the lung a mass replaces only tissue below this."""


def insert_mass(
    canvas: Canvas, site: Site, diameter_mm: float, rng: np.random.Generator
) -> SyntheticMass | None:
    """Inserts a mass at a site.

    Args:
        canvas: The chest to paint on; changed in place.
        site: A site on or in the lungs of this chest.
        diameter_mm: Diameter of a sphere of about its volume, before the part that lies too far
            outside the lung is cut off.
        rng: Source of every random choice.

    Returns:
        The mass; None, and the chest unchanged, where there is no room for it.
    """
    radius = diameter_mm / 2 / LUNG_GRID_MM
    inward = 0.0 if site.contact == "inside" else rng.uniform(-0.1, 0.85) * radius
    centre = site.position_zyx + inward * site.inward_zyx
    shape = draw_shape(rng, canvas.hu.shape, centre, radius)
    fraction = shape.fraction() * _room(canvas, shape, site.side, rng)
    inside = fraction > 0.5
    count = int(np.count_nonzero(inside))
    if count < 0.3 * 4 / 3 * np.pi * radius**3:
        return None
    air = float((canvas.hu[shape.box][inside] < -500).mean())
    if air < MIN_AERATED_FRACTION or bool((canvas.labels[shape.box][inside] > 0).any()):
        return None
    if rng.random() < (0.3 if site.contact in {"hilum", "inside", "mediastinum"} else 0.06):
        _opaque_lung_behind(canvas, site, centre, radius, rng)
    if rng.random() < 0.15:
        halo = np.clip(shape.depth / rng.uniform(2, 5) + 1, 0, 1) * (canvas.lungs[shape.box] > 0)
        canvas.paint(shape.box, (0.6 * halo).astype(np.float32), rng.uniform(-650, -350))
    canvas.paint(shape.box, fraction, mass_tissue(shape, rng))
    labels = canvas.labels[shape.box]
    labels[inside] = MASS
    mass = _measured(inside, shape, site.contact, air)
    canvas.masses.append(mass)
    return mass


def _room(canvas: Canvas, shape: Shape, side: int, rng: np.random.Generator) -> Field:
    """1 where the mass may grow: the lung, and up to 15 mm of the soft tissue around it."""
    lung = canvas.lungs[shape.box] == side
    reach = int(rng.integers(1, 6))
    around = lung
    for _ in range(reach):
        around = dilate(around)
    other = (canvas.lungs[shape.box] > 0) & ~lung
    room = around & ~other & ((canvas.hu[shape.box] < BONE_HU) | lung)
    result: Field = room.astype(np.float32)
    return result


def mass_tissue(shape: Shape, rng: np.random.Generator) -> Field:
    """Draws the HU inside a mass: soft tissue, often necrotic, sometimes cavitary or calcified.

    Args:
        shape: Shape of the mass, whose depth places core and wall.
        rng: Source of every random choice.

    Returns:
        HU, float32 ``[z, y, x]`` of the shape's box.
    """
    size = shape.depth.shape
    radius = shape.radius
    soft = rng.uniform(12, 60) + (rng.uniform(0, 45) if rng.random() < 0.35 else 0)
    hu = soft + rng.uniform(2, 14) * smooth_noise(rng, size, max(3.0, 0.8 * radius))
    core = shape.depth - radius * rng.uniform(0.25, 0.6)
    core += 0.18 * radius * smooth_noise(rng, size, max(3.0, 0.8 * radius))
    kind = rng.random()
    if kind < 0.35:
        inner = np.clip(core / 2 + 0.5, 0, 1)
        hu += inner * (rng.uniform(-5, 24) - hu)
    elif kind < 0.47 and radius > 5:
        wall = rng.uniform(2.2, 5.0)
        inner = np.clip(shape.depth - wall + 0.15 * radius * smooth_noise(rng, size, radius), 0, 1)
        hu += inner * (rng.uniform(-990, -850) - hu)
        if rng.random() < 0.4:  # An air-fluid level; the patient lies on the back.
            level = rng.uniform(0.4, 0.8) * size[1]
            fluid = inner * (np.arange(size[1])[None, :, None] > level)
            hu += fluid * (rng.uniform(0, 25) - hu)
    if rng.random() < 0.12:
        grains = smooth_noise(rng, size, 2.5) > rng.uniform(2.0, 2.8)
        hu = np.where(grains, hu + rng.uniform(60, 300), hu)
    return hu.astype(np.float32)


def _opaque_lung_behind(
    canvas: Canvas,
    site: Site,
    centre: NDArray[np.float64],
    radius: float,
    rng: np.random.Generator,
) -> None:
    """Fills a cone of lung beyond a mass, as behind a closed bronchus, labelled `IGNORED`."""
    reach = radius * rng.uniform(1.5, 2.6)
    box = box_around(centre, reach, canvas.hu.shape)
    away = offsets([part.stop - part.start for part in box], centre - [p.start for p in box])
    distance = np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2) + 1e-3
    axis = site.inward_zyx + rng.normal(0, 0.3, 3)
    axis /= np.linalg.norm(axis)
    along = sum(np.float32(a) * part for a, part in zip(axis, away, strict=True)) / distance
    edge = smooth_noise(rng, distance.shape, 6.0)
    opaque = along + 0.1 * edge > np.cos(np.deg2rad(rng.uniform(25, 55)))
    opaque &= (distance + edge < reach) & (canvas.lungs[box] == site.side)
    hu = rng.uniform(-120, 45) + 15 * edge
    if rng.random() < 0.5:
        hu = np.where(tubes(rng, distance.shape, 8.0, 0.06), -700, hu)
    canvas.paint(box, opaque.astype(np.float32), hu.astype(np.float32))
    canvas.labels[box][opaque & (canvas.labels[box] == 0)] = IGNORED


def _measured(
    inside: NDArray[np.bool_], shape: Shape, contact: Contact, air: float
) -> SyntheticMass:
    """Ground truth of the voxels of a mass."""
    points = np.argwhere(inside)
    centre = points.mean(axis=0) + [part.start for part in shape.box]
    z, y, x = centre.tolist()
    return SyntheticMass(
        centre_zyx=(z, y, x),
        diameter_mm=sphere_diameter_mm(len(points) * LUNG_GRID_MM**3),
        long_axis_mm=long_axis_by_moments_mm(points, LUNG_GRID_MM),
        contact=contact,
        aerated_fraction=air,
    )
