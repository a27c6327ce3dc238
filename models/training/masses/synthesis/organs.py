"""Organs that resemble masses: hernias, aneurysms, a wide oesophagus, fat, contrast agent.

Where a single scan cannot distinguish one from a mass, its voxels are labelled `IGNORED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.masses.synthesis.fields import offsets, smooth_noise
from hounsfield.models.training.masses.synthesis.shapes import draw_shape
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM

if TYPE_CHECKING:
    from hounsfield.models.training.masses.synthesis.canvas import Canvas


def hiatus_hernia(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints stomach above the diaphragm, behind the heart, with gas, fat or food.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    low, size = canvas.frame()
    centre = low + size * (rng.uniform(0.1, 0.32), rng.uniform(0.62, 0.78), rng.uniform(0.45, 0.6))
    radius = rng.uniform(14, 36) / LUNG_GRID_MM
    shape = draw_shape(rng, canvas.hu.shape, centre, radius)
    canvas.paint_unless_bone(shape.box, shape.fraction(), rng.uniform(20, 55))
    inner = np.clip(shape.depth - rng.uniform(1.2, 3.0), 0, 1)
    kind = rng.random()
    if kind < 0.45:
        front = np.arange(inner.shape[1])[None, :, None] < rng.uniform(0.35, 0.7) * inner.shape[1]
        canvas.paint(shape.box, (inner * front).astype(np.float32), -960.0)
    elif kind < 0.7:
        canvas.paint(shape.box, inner.astype(np.float32), rng.uniform(-110, -70))
    elif kind < 0.85:
        food = -200 + 150 * smooth_noise(rng, inner.shape, 3.0)
        canvas.paint(shape.box, inner.astype(np.float32), food)
    else:
        canvas.ignore(shape.box, shape.depth > -1)


def oesophagus(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints a wide oesophagus of 15 to 40 mm in front of the spine.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    low, size = canvas.frame()
    z = np.arange(canvas.hu.shape[0], dtype=np.float32)[:, None, None]
    _, y, x = offsets(canvas.hu.shape, (0, 0, 0))
    wave = smooth_noise(rng, (canvas.hu.shape[0], 1, 2), 25.0)
    middle_y = low[1] + size[1] * rng.uniform(0.6, 0.7) + 1.5 * wave[:, :, :1]
    middle_x = low[2] + size[2] * rng.uniform(0.48, 0.54) + 1.5 * wave[:, :, 1:]
    radius = rng.uniform(2.5, 6.5) * (1 + 0.15 * wave[:, :, :1])
    depth = radius - np.hypot(y - middle_y, x - middle_x)
    tall = (z > low[0] + 0.1 * size[0]) & (z < low[0] + size[0])
    everything = (slice(None),) * 3
    wall = (np.clip(depth + 0.5, 0, 1) * tall).astype(np.float32)
    canvas.paint_unless_bone(everything, wall, rng.uniform(25, 50))
    lumen = (np.clip(depth - rng.uniform(0.8, 1.8), 0, 1) * tall).astype(np.float32)
    canvas.paint(everything, lumen, rng.choice([-950.0, 10.0, 35.0], p=[0.5, 0.3, 0.2]))


def aneurysm(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints an aneurysm of 35 to 80 mm; without contrast agent it is ignored.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    low, size = canvas.frame()
    centre = low + size * (rng.uniform(0.25, 0.85), rng.uniform(0.35, 0.78), rng.uniform(0.5, 0.62))
    radius = rng.uniform(17, 40) / LUNG_GRID_MM
    shape = draw_shape(rng, canvas.hu.shape, centre, radius)
    blood = rng.uniform(110, 380)
    canvas.paint_unless_bone(shape.box, shape.fraction(), rng.uniform(25, 50))
    inner = np.clip(shape.depth - rng.uniform(0.5, 0.45 * radius), 0, 1).astype(np.float32)
    if rng.random() < 0.75:
        canvas.paint(shape.box, inner, blood)
    else:
        canvas.ignore(shape.box, shape.depth > -1)


def fat_pad(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints fat of 15 to 60 mm beside heart, chest wall or diaphragm.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    for _ in range(int(rng.integers(1, 4))):
        site = canvas.surface.draw(rng)
        if site is None or site.contact == "inside":
            continue
        radius = rng.uniform(8, 30) / LUNG_GRID_MM
        shape = draw_shape(rng, canvas.hu.shape, site.position_zyx, radius)
        canvas.paint_unless_bone(shape.box, shape.fraction(), rng.uniform(-120, -80))


def fatty_mediastinum(canvas: Canvas, rng: np.random.Generator) -> None:
    """Turns patches of soft tissue between the lungs into fat.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    low, size = canvas.frame()
    first = np.maximum(low + size * (0.1, 0.05, 0.3), 0).astype(int)
    last = (low + size * (1.0, 0.75, 0.7)).astype(int)
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    part = canvas.hu[box]
    if min(part.shape) < 4:
        return
    soft = (part > -30) & (part < 75) & (canvas.lungs[box] == 0)
    patch = np.clip(
        2 * smooth_noise(rng, part.shape, rng.uniform(8, 20)) + rng.uniform(-1.5, 0.5), 0, 1
    )
    canvas.paint(box, (patch * soft).astype(np.float32), rng.uniform(-115, -75))


def contrast(canvas: Canvas, rng: np.random.Generator) -> None:
    """Changes the HU of soft tissue unevenly, as contrast agent does.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    hu = canvas.hu
    soft = np.clip((hu - 15) / 15, 0, 1) * (hu < 280)
    field = np.clip(0.6 + 0.5 * smooth_noise(rng, hu.shape, rng.uniform(15, 50)), 0, 1.4)
    hu += (rng.uniform(-25, 110) * soft * field).astype(np.float32)
