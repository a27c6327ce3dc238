"""Mixed precision: bfloat16 on a GPU, or where it is asked for; float32 elsewhere."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def autocast(
    precision: Literal["float32", "bfloat16", "auto"], device: torch.device
) -> torch.autocast:
    """The context in which the network computes; it can be entered again and again.

    bfloat16 has the range of float32, so that no scaling of the loss is needed. On a processor
    that multiplies it in hardware (AVX512-BF16, AMX) it doubles the speed, but has to be asked
    for: torch 2.13 was found to read memory that nobody had written, in the backward pass of
    convolutions over maps of 2 x 2 x 2, which gave NaN now and then. Maps of 3 x 3 x 3 and more
    were right.
    """
    enabled = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def in_float32(output: object) -> object:
    """The same tensor, or dict or list of tensors, with every floating-point number in float32."""
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, dict):
        return {name: in_float32(value) for name, value in output.items()}
    if isinstance(output, list | tuple):
        return [in_float32(value) for value in output]
    return output
