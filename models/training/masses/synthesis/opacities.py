"""Opacities and organs that resemble masses, with the probability of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.training.masses.synthesis import lung_opacities, organs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from hounsfield.models.training.masses.synthesis.canvas import Canvas

    Opacity = Callable[[Canvas, np.random.Generator], None]

OPACITIES: tuple[tuple[Opacity, float], ...] = (
    (organs.contrast, 0.5),
    (organs.fatty_mediastinum, 0.25),
    (organs.fat_pad, 0.25),
    (organs.oesophagus, 0.12),
    (organs.hiatus_hernia, 0.14),
    (organs.aneurysm, 0.14),
    (lung_opacities.dependent_opacity, 0.2),
    (lung_opacities.effusion, 0.16),
    (lung_opacities.consolidation, 0.16),
    (lung_opacities.atelectasis, 0.25),
    (lung_opacities.plaques, 0.2),
    (lung_opacities.small_nodules, 0.35),
)
"""Functions in the order in which they paint, before any mass, each with its probability."""


def add_opacities(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paints each of `OPACITIES` with its probability.

    Args:
        canvas: The chest to paint on; changed in place.
        rng: Source of every random choice.
    """
    for paint, probability in OPACITIES:
        if rng.random() < probability:
            paint(canvas, rng)
