"""Pictures of a detector's input, target and prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.networks.centre_heatmap import HEAT, STRIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MAX_SAMPLES = 9
HEAT_OPACITY = 0.5
"""Opacity of a heat-map over the image."""


def detection_pictures(batch: dict[str, Tensor], output: Tensor) -> list[NDArray[np.uint8]]:
    """Makes one picture for each sample: three panes through the strongest cell of the target.

    From left to right: the image, the target heat-map over it (black where nothing is known), and
    the predicted score over it.

    Args:
        batch: Batch for `detection_loss`, with ``image`` (batch, 1, z, y, x).
        output: (batch, 5, z, y, x), the output of `CentreNet`.

    Returns:
        Grey pictures ``[y, 3 x]``, `MAX_SAMPLES` at most.
    """
    images, targets, known, scores = (
        maps[:MAX_SAMPLES].float().cpu().numpy()
        for maps in (
            batch["image"][:, 0],
            batch["heat"],
            batch["weight"],
            output[:, HEAT].sigmoid(),
        )
    )
    return [
        _panes(*sample)
        for sample in zip(images, targets, (known > 0).astype(np.float32), scores, strict=True)
    ]


def _panes(
    image: NDArray[np.float32],
    target: NDArray[np.float32],
    known: NDArray[np.float32],
    score: NDArray[np.float32],
) -> NDArray[np.uint8]:
    """The three panes, ``[y, 3 x]``; a crop without nodule is shown through its middle."""
    cell = target.max((1, 2)).argmax() if target.any() else len(target) // 2
    grey = image[cell * STRIDE + STRIDE // 2].clip(0, 1)
    with_target = (1 - HEAT_OPACITY) * grey + HEAT_OPACITY * _voxels(target[cell])
    with_score = (1 - HEAT_OPACITY) * grey + HEAT_OPACITY * _voxels(score[cell])
    panes = np.hstack([grey, with_target * _voxels(known[cell]), with_score])
    return (panes * 255).astype(np.uint8)


def _voxels(cells: NDArray[np.float32]) -> NDArray[np.float32]:
    return cells.repeat(STRIDE, 0).repeat(STRIDE, 1)
