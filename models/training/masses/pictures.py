"""Pictures of the mass detector's input, target and prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from hounsfield.models.networks.mass_net import NARROW_HU, WIDE_HU
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

MAX_SAMPLES = 12


def mass_pictures(batch: dict[str, Tensor], logits: Tensor) -> list[NDArray[np.uint8]]:
    """Makes one picture for each crop: four panes of the axial slice with most mass.

    From left to right: lung window, soft-tissue window, labels (ignored voxels grey), probability.

    Args:
        batch: Batch for `mass_loss`, with ``image`` (crops, 3, z, y, x).
        logits: (crops, 1, z, y, x), the output of `MassNet`.

    Returns:
        Grey pictures ``[y, 4 x]``, `MAX_SAMPLES` at most.
    """
    samples = zip(batch["image"], batch["labels"], logits, strict=True)
    return [_panes(*sample) for sample in list(samples)[:MAX_SAMPLES]]


def _panes(image: Tensor, labels: Tensor, logits: Tensor) -> NDArray[np.uint8]:
    """The four panes, ``[y, 4 x]``; a crop without a mass is shown through its middle."""
    mass = (labels == MASS).flatten(1).sum(1)
    index = int(mass.argmax()) if int(mass.max()) else len(mass) // 2
    hu = image[0, index].float()
    target = (labels[index] == MASS).float()
    panes = [
        *((hu - low) / (high - low) for low, high in (WIDE_HU, NARROW_HU)),
        torch.where(labels[index] == IGNORED, 0.5, target),
        torch.sigmoid(logits[0, index].float()),
    ]
    grey = torch.cat([pane.clamp(0, 1) for pane in panes], dim=1) * 255
    return grey.cpu().numpy().astype(np.uint8)
