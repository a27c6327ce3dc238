"""Time of the MONAI bundle's RetinaNet as shipped and as Hounsfield runs it, with random weights.

Run as ``python -m benchmarks.retina``. Both are timed on one small window and scaled to the voxels
of all windows that a 512 x 512 x 300 study needs: convolutions cost the same for every voxel, and
the bundle's own window takes more memory than an ordinary computer has.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from hounsfield.data.phantom import PhantomSettings, make_phantom
from hounsfield.models.inference.retina_detector import window_xyz
from hounsfield.models.inference.runtimes import openvino_outputs
from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.networks.retina_net import (
    RETINA_GRAPH,
    SIZE_DIVISOR_XYZ,
    RetinaConfig,
    retina_net,
)
from hounsfield.models.store.bundle_import import SPACING_MM
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.parallel import available_processors
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

TIMED_XYZ = (128, 128, 64)
SEED, REPEATS = 900_000, 3


def main() -> None:
    """Prints the comparison."""
    compare()


def compare() -> float:
    """Prints seconds per study of both and their ratio.

    Returns:
        Seconds per study of the bundle as shipped.
    """
    torch.set_num_threads(available_processors())
    config = RetinaConfig()
    phantom = make_phantom(SEED, settings=PhantomSettings()).volume
    whole = [
        math.ceil(size * step / new_step)
        for size, step, new_step in zip(
            phantom.hu.shape[::-1], phantom.spacing_mm, SPACING_MM, strict=True
        )
    ]
    box = to_working_volume(phantom, find_lungs(phantom), spacing_mm=SPACING_MM).hu.shape[::-1]
    shipped_voxels = _window_voxels(whole, config.window_xyz, config.window_overlap)
    network = retina_net(config).eval()
    shipped_voxel_s, our_voxel_s = _seconds_per_voxel(network)
    shipped_s = shipped_voxels * shipped_voxel_s
    cost = f"{shipped_voxels / 1e6:.0f} M voxels, {shipped_s:.0f} s, scaled"
    print(f"as shipped, series of {whole}: {cost}")
    for name, window in (
        ("in one pass (16 GB)", _padded(box)),
        ("in windows (8 GB)", window_xyz(box, config)),
    ):
        voxels = _window_voxels(_padded(box), window, config.window_overlap)
        seconds = voxels * our_voxel_s
        cost = f"{voxels / 1e6:.0f} M voxels, {seconds:.0f} s, scaled"
        print(f"Hounsfield, {name}, lung box of {list(box)}: {cost}")
        print(f"  {shipped_s / seconds:.1f} times as fast (target: 4)")
    return shipped_s


def _padded(shape_xyz: Sequence[int]) -> list[int]:
    """The next larger shape that the network accepts."""
    pairs = zip(shape_xyz, SIZE_DIVISOR_XYZ, strict=True)
    return [-(-size // divisor) * divisor for size, divisor in pairs]


def _window_voxels(shape_xyz: Sequence[int], window: Sequence[int], overlap: float) -> int:
    """Voxels of all windows that cover a shape; where windows overlap they count for each."""
    counts = (
        1 + max(0, math.ceil((size - part) / (part * (1 - overlap))))
        for size, part in zip(shape_xyz, window, strict=True)
    )
    return math.prod(counts) * math.prod(window)


def _seconds_per_voxel(network: nn.Module) -> tuple[float, float]:
    """Best times of torch, as shipped, and OpenVINO, which take turns."""
    image = torch.rand(1, 1, *TIMED_XYZ)
    graph = network_graph(network, RETINA_GRAPH)
    weights = save(network.state_dict())
    outputs = openvino_outputs(weights, graph, threads=available_processors())

    def by_torch() -> None:
        with torch.inference_mode():
            network(image)

    best = [math.inf, math.inf]
    for _ in range(REPEATS):
        for number, run in enumerate((by_torch, lambda: outputs(image.numpy()))):
            started = time.perf_counter()
            run()
            best[number] = min(best[number], time.perf_counter() - started)
    shipped, ours = (seconds / math.prod(TIMED_XYZ) for seconds in best)
    return shipped, ours


if __name__ == "__main__":
    main()
