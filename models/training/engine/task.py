"""`TrainingTask`: the network, samples and loss that the training loop works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.utils.data import Dataset

    from hounsfield.models.networks.onnx_graph import GraphSpec


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """A network, its samples and its loss.

    Attributes:
        network: Called with the ``image`` of a batch; returns a tensor, or a dict or list of them.
        samples: At least steps x batch samples; each depends on its index alone.
        validation: Held-out samples, at least as many as `optimisation.validation_samples`.
        loss: Maps the network's output, in float32, and the batch to ``loss``, which is minimised,
            and its parts, always the same ones; each is a mean over the batch.
        collate: Makes a batch of samples that are not all tensors of one shape.
        pictures: Maps a batch and the network's output for it to grey pictures ``[y, x]`` of
            input, target and prediction.
        graph: Inputs and outputs of the ONNX graph, for networks that also run without torch.
    """

    network: nn.Module
    samples: Dataset[dict[str, Any]]
    validation: Dataset[dict[str, Any]]
    loss: Callable[[Any, Any], dict[str, Tensor]]
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]] | None = None
    pictures: Callable[[Any, Any], list[NDArray[np.uint8]]] | None = None
    graph: GraphSpec | None = None
