"""Opacities of lung and pleura that resemble masses: fluid, consolidation, collapse, plaques.

Where a single scan cannot distinguish one from a mass, its voxels are labelled `IGNORED`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.masses.synthesis.fields import (
    box_around,
    kept_off_faces,
    offsets,
    smooth_noise,
    tubes,
)
from hounsfield.models.training.masses.synthesis.shapes import draw_shape
from hounsfield.preprocessing.lungs.morphology import dilate
from hounsfield.preprocessing.lungs.segment import LUNG_GRID_MM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.models.training.masses.synthesis.canvas import Canvas


def effusion(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints fluid at the back and base of one lung, with compressed lung above it.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    one_lung = _draw_lung(canvas, rng)
    if one_lung is None:
        return
    box, lung = one_lung
    z, y, _ = offsets(lung.shape, (0, 0, 0))
    tilt = rng.uniform(0, 0.8)
    height = y - tilt * z + 1.5 * smooth_noise(rng, lung.shape, 14.0)
    filled = rng.uniform(0.03, 0.4) if rng.random() < 0.85 else rng.uniform(0.4, 1.0)
    level = np.quantile(height[lung], 1 - filled)
    fluid = np.clip(height - level + 0.5, 0, 1) * lung
    if rng.random() < 0.6:
        depth = rng.uniform(1.5, 7)
        compressed = np.clip((height - level + depth) / 2, 0, 1) * lung
        hu = rng.uniform(10, 75) + 10 * smooth_noise(rng, lung.shape, 6.0)
        canvas.paint(
            box,
            compressed.astype(np.float32),
            np.where(tubes(rng, lung.shape, 9.0, 0.04), -500, hu),
        )
    hu = rng.uniform(-2, 28) + rng.uniform(0, 5) * smooth_noise(rng, lung.shape, 8.0)
    canvas.paint(box, fluid.astype(np.float32), hu)


def consolidation(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints consolidation of part of a lobe; without air bronchograms it is ignored.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    site = canvas.surface.draw(rng, "inside" if rng.random() < 0.4 else None)
    if site is None:
        return
    radius = rng.uniform(15, 55) / LUNG_GRID_MM
    shape = draw_shape(rng, canvas.hu.shape, site.position_zyx, radius)
    size = shape.depth.shape
    ragged = shape.depth + rng.uniform(0.15, 0.45) * radius * smooth_noise(
        rng, size, max(4.0, 0.7 * radius)
    )
    ragged = kept_off_faces(ragged, shape.box, canvas.hu.shape)
    softness = rng.choice([1.5, 4.0, 8.0])
    fraction = np.clip(ragged / softness + 0.5, 0, 1) * (canvas.lungs[shape.box] == site.side)
    hu = rng.uniform(-250, 45) + 25 * smooth_noise(rng, size, 6.0)
    has_bronchogram = rng.random() < 0.7
    if has_bronchogram:
        hu = np.where(tubes(rng, size, rng.uniform(6, 10), rng.uniform(0.05, 0.11)), -800, hu)
    canvas.paint(shape.box, fraction.astype(np.float32), hu.astype(np.float32))
    if not has_bronchogram:
        canvas.ignore(shape.box, fraction > 0.5)


def atelectasis(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints bands and plates of collapsed lung, 4 to 15 mm thick.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    for _ in range(int(rng.integers(1, 4))):
        site = canvas.surface.draw(rng)
        if site is None:
            continue
        reach = rng.uniform(6, 16)
        box = box_around(site.position_zyx, reach, canvas.hu.shape)
        away = offsets([p.stop - p.start for p in box], site.position_zyx - [p.start for p in box])
        normal = rng.standard_normal(3) * (1.6, 1, 1)
        normal /= np.linalg.norm(normal)
        across = sum(np.float32(a) * part for a, part in zip(normal, away, strict=True))
        distance = np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2)
        bend = smooth_noise(rng, distance.shape, 10.0)
        half = rng.uniform(0.7, 2.5)
        fraction = np.clip(half - np.abs(across + bend) + 0.5, 0, 1) * (distance < reach)
        fraction = fraction * (canvas.lungs[box] == site.side)
        canvas.paint(box, fraction.astype(np.float32), rng.uniform(-150, 50))


def dependent_opacity(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints dependent opacity of 5 to 25 mm at the back of both lungs.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    lung = canvas.lungs > 0
    behind = lung.shape[1] - 1 - np.argmax(lung[:, ::-1], axis=1)
    y = np.arange(lung.shape[1])[None, :, None]
    depth = rng.uniform(1.5, 8) * (1 + 0.4 * smooth_noise(rng, (8, 1, 8), 3.0).mean())
    fade = np.clip((depth - (behind[:, None, :] - y)) / depth, 0, 1)
    fraction = (fade * lung * rng.uniform(0.4, 1.0)).astype(np.float32)
    canvas.paint((slice(None),) * 3, fraction, rng.uniform(-350, 20))


def plaques(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints pleural plaques, 4 to 12 mm thick, some calcified.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    for _ in range(int(rng.integers(1, 5))):
        site = canvas.surface.draw(rng, "chest wall" if rng.random() < 0.7 else "diaphragm")
        if site is None:
            continue
        radius = rng.uniform(4, 12)
        box = box_around(site.position_zyx, radius + 3, canvas.hu.shape)
        away = offsets([p.stop - p.start for p in box], site.position_zyx - [p.start for p in box])
        squared = away[0] ** 2 + away[1] ** 2 + away[2] ** 2
        across = sum(np.float32(a) * part for a, part in zip(site.inward_zyx, away, strict=True))
        thickness = rng.uniform(0.8, 2.2)
        fraction = np.clip(thickness * (1 - squared / radius**2) - np.abs(across) + 0.7, 0, 1)
        fraction = fraction * (canvas.lungs[box] == site.side)
        hu = rng.uniform(30, 70) if rng.random() < 0.6 else rng.uniform(150, 600)
        canvas.paint(box, fraction.astype(np.float32), hu)


def small_nodules(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints nodules of 5 to 24 mm; those above 17 mm are ignored.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    for _ in range(int(rng.integers(1, 6))):
        site = canvas.surface.draw(rng, "inside" if rng.random() < 0.6 else None)
        if site is None:
            continue
        diameter_mm = rng.uniform(5, 24)
        shape = draw_shape(rng, canvas.hu.shape, site.position_zyx, diameter_mm / 2 / LUNG_GRID_MM)
        fraction = shape.fraction() * (canvas.lungs[shape.box] == site.side)
        canvas.paint(shape.box, fraction, rng.uniform(-100, 70))
        if diameter_mm > 17:
            canvas.ignore(shape.box, dilate(fraction > 0.3))


def _draw_lung(
    canvas: Canvas, rng: np.random.Generator
) -> tuple[tuple[slice, ...], NDArray[np.bool_]] | None:
    """The box around the right or left lung, and that lung with its partial-volume rim."""
    side = int(rng.integers(1, 3))
    inside = canvas.lungs == side
    points = np.argwhere(inside[::2, ::2, ::2]) * 2
    if len(points) < 200:
        return None
    first, last = np.maximum(points.min(axis=0) - 3, 0), points.max(axis=0) + 4
    box = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    rim = dilate(inside[box]) & (canvas.hu[box] < -100)
    return box, inside[box] | rim
