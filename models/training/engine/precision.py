"""Mixed precision: bfloat16 on a GPU, or where it is asked for; float32 elsewhere."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor


def autocast(
    precision: Literal["float32", "bfloat16", "auto"], device: torch.device
) -> torch.autocast:
    """Returns the context in which the network computes; it can be entered repeatedly.

    bfloat16 has the range of float32, so the loss needs no scaling. On a CPU that multiplies it in
    hardware (AVX512-BF16, AMX) it doubles the speed, but is never chosen automatically: torch 2.13
    was found to read uninitialised memory in the backward pass of convolutions over maps of
    2 x 2 x 2, which occasionally gave NaN. Maps of 3 x 3 x 3 and more were right.

    Args:
        precision: Setting of the configuration; `auto` is bfloat16 on a GPU only.
        device: Device on which the network computes.
    """
    enabled = precision == "bfloat16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def in_float32(output: object) -> object:
    """Converts every floating-point tensor in a network's output to float32.

    Args:
        output: A tensor, or dicts and lists of tensors in any depth.

    Returns:
        The same structure; tuples become lists, other values stay as they are.
    """
    if isinstance(output, Tensor):
        return output.float() if output.is_floating_point() else output
    if isinstance(output, dict):
        return {name: in_float32(value) for name, value in output.items()}
    if isinstance(output, list | tuple):
        return [in_float32(value) for value in output]
    return output
