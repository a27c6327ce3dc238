"""`RetinaDetector`: candidates from the boxes of a RetinaNet, such as the MONAI bundle's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from torch import nn
from torch.nn.utils import convert_conv3d_weight_memory_format

from hounsfield.models.calibration import clipped_logit, logistic_score
from hounsfield.models.findings import Candidate
from hounsfield.models.inference.runtimes import openvino_outputs
from hounsfield.models.networks.retina_net import (
    SIZE_DIVISOR_XYZ,
    box_detector,
    retina_config,
    retina_net,
)
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.models.inference.runtimes import MultiOutputNetwork
    from hounsfield.models.networks.retina_net import RetinaConfig
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

MIN_SCORE = 1e-7
"""Scores nearer to 0 or 1 are moved to this distance, so that their logits are finite."""


class RetinaDetector:
    """Runs the network over the lung box in windows of bounded size and selects boxes in all of it.

    Args:
        manifest: Provides network configuration, HU window and calibration.
        weights: Content of a safetensors file.
        threads: Maximum number of CPU threads, for torch in the whole process.
        graph: ONNX graph without weights, for OpenVINO; None runs the network in torch.
    """

    def __init__(
        self, manifest: Manifest, weights: bytes, *, threads: int, graph: bytes | None = None
    ) -> None:
        self._manifest = manifest
        self._config = retina_config(manifest.network)
        torch.set_num_threads(threads)
        self._device = torch.device("cpu")
        network: nn.Module
        if graph is not None:
            outputs = openvino_outputs(weights, graph, threads=threads)
            network = _OpenVinoRetinaNet(self._config, outputs)
        else:
            if torch.cuda.is_available():
                self._device = torch.device("cuda")
            network = retina_net(self._config)
            network.load_state_dict(load(weights))  # widens 16-bit kernels
            network = convert_conv3d_weight_memory_format(
                network.to(self._device), torch.channels_last_3d
            )
        self._detector = box_detector(network, self._config).eval()

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns at most `RetinaConfig.max_boxes` candidates, best score first."""
        boxes_ras, raw_scores = self._boxes(volume.hu)
        centres_xyz = lps_centres(boxes_ras, volume.hu.shape[::-1])
        diameters_mm = box_diameters(boxes_ras, volume.spacing_mm)
        kept = np.arange(len(boxes_ras))
        if self._config.inside_search_mask:
            kept = kept[_inside(centres_xyz, volume.search_mask)]
        logits = clipped_logit(raw_scores, MIN_SCORE)
        scores = logistic_score(logits, self._manifest.calibration)
        world = volume.world_mm(centres_xyz)
        return [
            Candidate(
                (float(world[i, 0]), float(world[i, 1]), float(world[i, 2])),
                float(diameters_mm[i]),
                float(scores[i]),
            )
            for i in kept[np.argsort(-scores[kept], kind="stable")]
        ]

    def _boxes(self, hu: NDArray[np.int16]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Boxes (n, 6) in voxels of the array that the network receives, and their scores (n,)."""
        image = ras_image(hu, self._manifest.hu_window).to(self._device)
        window = window_xyz(tuple(image.shape[1:]), self._config)
        self._detector.set_sliding_window_inferer(
            roi_size=window, overlap=self._config.window_overlap, mode="constant", device="cpu"
        )
        in_windows = any(part < size for part, size in zip(window, image.shape[1:], strict=True))
        with torch.inference_mode():
            (detections,) = self._detector(image[None], use_inferer=in_windows)
        boxes = detections[self._detector.target_box_key].cpu().numpy()
        scores = detections[self._detector.pred_score_key].cpu().numpy()
        return boxes.astype(np.float64), scores.astype(np.float64)


class _OpenVinoRetinaNet(nn.Module):
    """The network in OpenVINO, with the attributes that MONAI's detector reads from a network."""

    def __init__(self, config: RetinaConfig, outputs: MultiOutputNetwork) -> None:
        super().__init__()
        with torch.device("meta"):
            network = retina_net(config)
        for name in ("spatial_dims", "num_classes", "num_anchors", "size_divisible"):
            setattr(self, name, getattr(network, name))
        self.cls_key, self.box_reg_key = network.cls_key, network.box_reg_key
        self._outputs = outputs

    def forward(self, images: Tensor) -> dict[str, list[Tensor]]:
        maps = [torch.from_numpy(output) for output in self._outputs(images.contiguous().numpy())]
        levels = len(maps) // 2
        return {self.cls_key: maps[:levels], self.box_reg_key: maps[levels:]}


def ras_image(hu: NDArray[np.int16], hu_window: tuple[float, float]) -> Tensor:
    """Converts a working volume to the array that the bundle's network expects.

    The axes of a working volume point to the left, the back and the head; those of the bundle's
    array, which nibabel calls RAS, to the right, the front and the head.

    Args:
        hu: ``[z, y, x]`` of a working volume.
        hu_window: HU that become 0 and 1; values outside are clipped.

    Returns:
        float32 ``[1, x, y, z]``, 0 to 1.
    """
    flipped = hu[:, ::-1, ::-1].transpose(2, 1, 0)
    return torch.from_numpy(np.ascontiguousarray(normalise_hu(flipped, hu_window)))[None]


def lps_centres(boxes_ras: NDArray[np.float64], shape_xyz: Sequence[int]) -> NDArray[np.float64]:
    """Converts boxes in the array of `ras_image` to centres in the working volume.

    Args:
        boxes_ras: ``[n, 6]``, lower and upper corner in voxels of that array.
        shape_xyz: Size of the working volume along x, y, z.

    Returns:
        ``[n, 3]``, fractional voxels (x, y, z) of the working volume.
    """
    centres = (boxes_ras[:, :3] + boxes_ras[:, 3:]) / 2
    centres[:, :2] = np.subtract(shape_xyz[:2], 1) - centres[:, :2]
    return centres


def box_diameters(
    boxes: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Computes the diameters of spheres with the volume of the ellipsoids inscribed in boxes.

    Args:
        boxes: ``[n, 6]``, lower and upper corner in voxels along x, y, z.
        spacing_mm: Distance of the voxels along x, y, z.

    Returns:
        ``[n]``, in mm.
    """
    sides_mm = (boxes[:, 3:] - boxes[:, :3]) * spacing_mm
    diameters: NDArray[np.float64] = np.cbrt(sides_mm.prod(axis=1))
    return diameters


def window_xyz(shape_xyz: Sequence[int], config: RetinaConfig) -> tuple[int, int, int]:
    """Chooses the sliding window: whole planes if possible, as deep as memory allows.

    Of all depths that need as few windows, the smallest is taken. Windows must begin where the
    coarsest level has a cell, otherwise their outputs could not be averaged.

    Args:
        shape_xyz: Size of the image in voxels along x, y, z.
        config: Its `window_xyz`, `window_voxels` and `window_overlap` bound the window.

    Returns:
        Size of the window in voxels along x, y, z, divisible by `SIZE_DIVISOR_XYZ`.
    """
    padded = [
        -(-size // part) * part for size, part in zip(shape_xyz, SIZE_DIVISOR_XYZ, strict=True)
    ]
    x, y = (min(size, limit) for size, limit in zip(padded[:2], config.window_xyz, strict=False))
    max_depth = min(config.window_xyz[2], config.window_voxels // (x * y))
    if padded[2] <= max_depth:
        return x, y, padded[2]
    cell, step = SIZE_DIVISOR_XYZ[2], 1 - config.window_overlap
    depths = [z for z in range(cell, max(max_depth, 4 * cell) + 1, cell) if z * step % cell == 0]
    counts = [-(-(padded[2] - z) // int(z * step)) + 1 for z in depths]
    return x, y, depths[counts.index(counts[-1])]


def _inside(centres_xyz: NDArray[np.float64], search_mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    nearest = np.rint(centres_xyz[:, ::-1]).astype(np.intp)
    nearest = np.clip(nearest, 0, np.subtract(search_mask.shape, 1))
    inside: NDArray[np.bool_] = search_mask[tuple(nearest.T)]
    return inside
