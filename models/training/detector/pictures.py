"""Pictures of what a detector is fed, what it should answer and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.centre_heatmap import HEAT, STRIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MAX_SAMPLES = 9
HEAT_SHARE = 0.5
"""How much of a pixel's brightness is the heat-map's where one lies over the image."""


def detection_pictures(batch: dict[str, Tensor], marks: Tensor) -> list[NDArray[np.uint8]]:
    """One picture a sample, three panes side by side, through the strongest wanted cell.

    Left the image, in the middle the wanted heat-map over it (black where nothing is known),
    right the score that the network gives.

    Args:
        batch: As `detection_loss` takes it, with ``image`` (batch, 1, z, y, x).
        marks: Output of `CentreNet`.
    """
    images, wanted, known, scores = (
        maps[:MAX_SAMPLES].float().cpu().numpy()
        for maps in (batch["image"][:, 0], batch["heat"], batch["weight"], marks[:, HEAT].sigmoid())
    )
    return [
        _panes(*one)
        for one in zip(images, wanted, (known > 0).astype(np.float32), scores, strict=True)
    ]


def _panes(
    image: NDArray[np.float32],
    wanted: NDArray[np.float32],
    known: NDArray[np.float32],
    score: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The three panes, ``[y, 3 x]``; a crop without a nodule is shown through its middle."""
    cell = wanted.max((1, 2)).argmax() if wanted.any() else len(wanted) // 2
    grey = image[cell * STRIDE + STRIDE // 2].clip(0, 1)
    with_wanted = (1 - HEAT_SHARE) * grey + HEAT_SHARE * _voxels(wanted[cell])
    with_score = (1 - HEAT_SHARE) * grey + HEAT_SHARE * _voxels(score[cell])
    panes = np.hstack([grey, with_wanted * _voxels(known[cell]), with_score])
    return (panes * 255).astype(np.uint8)


def _voxels(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return cells.repeat(STRIDE, 0).repeat(STRIDE, 1)
