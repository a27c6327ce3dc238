"""The MONAI bundle's RetinaNet as it is shipped and as Hounsfield runs it, with random weights.

Run as ``python -m benchmarks.retina``. Both ways look through one small window and are scaled by
the voxels of all the windows that a 512 x 512 x 300 study needs: convolutions cost the same for
every voxel, and the bundle's own window takes more memory than an ordinary computer has.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import convert_conv3d_weight_memory_format

from data.phantom import PhantomSettings, make_phantom
from models.bundle_import import SPACING_MM
from models.networks.retina_net import RetinaPlan, retina_net
from models.retina_detector import window_xyz
from preprocessing.lungs import find_lungs
from preprocessing.processors import available_processors
from preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

TIMED_XYZ = (128, 128, 64)
SEED = 900_000


def main() -> None:
    """Compares both ways."""
    compare()


def compare() -> float:
    """Prints seconds a study for both ways and their ratio; returns those of the shipped way."""
    torch.set_num_threads(available_processors())
    plan = RetinaPlan()
    phantom = make_phantom(SEED, settings=PhantomSettings()).volume
    whole = [
        math.ceil(size * mm / wanted)
        for size, mm, wanted in zip(
            phantom.hu.shape[::-1], phantom.spacing_mm, SPACING_MM, strict=True
        )
    ]
    box = to_working_volume(phantom, find_lungs(phantom), spacing_mm=SPACING_MM).hu.shape[::-1]
    shipped = voxels_seen(whole, plan.window_xyz, plan.window_overlap)
    ours = voxels_seen(box, window_xyz(box, plan), plan.window_overlap)
    network = retina_net(plan).eval()
    shipped_s = shipped * seconds_a_voxel(network, torch.contiguous_format)
    network = convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
    ours_s = ours * seconds_a_voxel(network, torch.channels_last_3d)
    print(
        f"as shipped, series of {whole}: {shipped / 1e6:.0f} M voxels, {shipped_s:.0f} s (scaled)"
    )
    print(f"our way, lung box of {list(box)}: {ours / 1e6:.0f} M voxels, {ours_s:.0f} s (scaled)")
    print(f"ratio: {shipped_s / ours_s:.1f}")
    return shipped_s


def voxels_seen(shape_xyz: Sequence[int], window: Sequence[int], overlap: float) -> int:
    """Voxels of all windows that cover a shape, each as often as it is looked at."""
    counts = (
        1 + max(0, math.ceil((size - part) / (part * (1 - overlap))))
        for size, part in zip(shape_xyz, window, strict=True)
    )
    return math.prod(counts) * math.prod(window)


def seconds_a_voxel(network: nn.Module, memory_format: torch.memory_format) -> float:
    """The faster of two passes through the timed window."""
    image = torch.rand(1, 1, *TIMED_XYZ).to(memory_format=memory_format)
    best = math.inf
    with torch.inference_mode():
        for _ in range(2):
            started = time.perf_counter()
            network(image)
            best = min(best, time.perf_counter() - started)
    return best / math.prod(TIMED_XYZ)


if __name__ == "__main__":
    main()
