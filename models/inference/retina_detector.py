"""`RetinaDetector`: candidates from the boxes of a RetinaNet, such as the MONAI bundle's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from scipy import special
from torch import nn
from torch.nn.utils import convert_conv3d_weight_memory_format

from hounsfield.models.contracts import Candidate
from hounsfield.models.inference.runtimes import openvino_answers
from hounsfield.models.networks.retina_net import (
    SIZE_DIVISOR_XYZ,
    boxes_of,
    retina_net,
    retina_plan,
)
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.models.networks.retina_net import RetinaConfig
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.preprocessing.working_volume import WorkingVolume

SCORE_ROUNDING = 1e-7
"""Scores are kept so far from 0 and 1, where a logit would be infinite."""


class RetinaDetector:
    """Looks at the lung box in windows of bounded size and reads boxes off the whole of it.

    Args:
        manifest: Tells the network's plan, HU window and calibration.
        weights: The safetensors file's bytes.
        graph: Where it is given, OpenVINO carries the network out, else torch.
        threads: Processor threads.
    """

    def __init__(
        self, manifest: Manifest, weights: bytes, *, threads: int, graph: bytes | None = None
    ) -> None:
        self._manifest = manifest
        self._plan = retina_plan(manifest.network)
        torch.set_num_threads(threads)
        self._device = torch.device("cpu")
        network: nn.Module
        if graph is not None:
            network = _OpenVinoMaps(self._plan, openvino_answers(weights, graph, threads=threads))
        else:
            if torch.cuda.is_available():
                self._device = torch.device("cuda")
            network = retina_net(self._plan)
            network.load_state_dict(load(weights))  # widens 16-bit kernels
            network = convert_conv3d_weight_memory_format(
                network.to(self._device), torch.channels_last_3d
            )
        self._detector = boxes_of(network, self._plan).eval()

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns at most `RetinaConfig.most_boxes`, best score first."""
        boxes_ras, raw_scores = self._boxes(volume.hu)
        centres_xyz = lps_centres(boxes_ras, volume.hu.shape[::-1])
        diameters_mm = box_diameters(boxes_ras, volume.spacing_mm)
        kept = np.arange(len(boxes_ras))
        if self._plan.inside_search_mask:
            kept = kept[_inside(centres_xyz, volume.search_mask)]
        scores = self._calibrated(raw_scores)
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
        """Boxes (n, 6) in voxels of the array the network sees, and their scores (n,)."""
        image = ras_image(hu, self._manifest.hu_window).to(self._device)
        window = window_xyz(tuple(image.shape[1:]), self._plan)
        self._detector.set_sliding_window_inferer(
            roi_size=window, overlap=self._plan.window_overlap, mode="constant", device="cpu"
        )
        in_windows = any(part < size for part, size in zip(window, image.shape[1:], strict=True))
        with torch.inference_mode():
            (found,) = self._detector(image[None], use_inferer=in_windows)
        boxes = found[self._detector.target_box_key].cpu().numpy()
        scores = found[self._detector.pred_score_key].cpu().numpy()
        return boxes.astype(np.float64), scores.astype(np.float64)

    def _calibrated(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        calibration = self._manifest.calibration
        logits = special.logit(np.clip(scores, SCORE_ROUNDING, 1 - SCORE_ROUNDING))
        calibrated: NDArray[np.float64] = special.expit(
            calibration.slope * logits + calibration.intercept
        )
        return calibrated


class _OpenVinoMaps(nn.Module):
    """A network's maps by OpenVINO, and what MONAI's detector asks a network about itself."""

    def __init__(
        self,
        plan: RetinaConfig,
        answers: Callable[[NDArray[np.float32]], list[NDArray[np.float32]]],
    ) -> None:
        super().__init__()
        with torch.device("meta"):
            like = retina_net(plan)
        for name in ("spatial_dims", "num_classes", "num_anchors", "size_divisible"):
            setattr(self, name, getattr(like, name))
        self.cls_key, self.box_reg_key = like.cls_key, like.box_reg_key
        self._answers = answers

    def forward(self, images: Tensor) -> dict[str, list[Tensor]]:
        maps = [torch.from_numpy(one) for one in self._answers(images.contiguous().numpy())]
        levels = len(maps) // 2
        return {self.cls_key: maps[:levels], self.box_reg_key: maps[levels:]}


def ras_image(hu: NDArray[np.int16], hu_window: tuple[float, float]) -> Tensor:
    """Turns an upright volume into what the bundle sees: float32 ``[1, x, y, z]``, 0 to 1.

    A working volume runs to the left, the back and the head; the bundle's array, whose axes nibabel
    calls RAS, to the right, the front and the head.
    """
    turned = hu[:, ::-1, ::-1].transpose(2, 1, 0)
    return torch.from_numpy(np.ascontiguousarray(normalise_hu(turned, hu_window)))[None]


def lps_centres(boxes_ras: NDArray[np.float64], shape_xyz: Sequence[int]) -> NDArray[np.float64]:
    """Centres (n, 3) in voxels (x, y, z) of the working volume, from boxes as `ras_image` lies."""
    centres = (boxes_ras[:, :3] + boxes_ras[:, 3:]) / 2
    centres[:, :2] = np.subtract(shape_xyz[:2], 1) - centres[:, :2]
    return centres


def box_diameters(
    boxes: NDArray[np.float64], spacing_mm: tuple[float, float, float]
) -> NDArray[np.float64]:
    """Diameters (n,) in mm of spheres as large as the ellipsoids that fill boxes (n, 6)."""
    sides_mm = (boxes[:, 3:] - boxes[:, :3]) * spacing_mm
    diameters: NDArray[np.float64] = np.cbrt(sides_mm.prod(axis=1))
    return diameters


def window_xyz(shape_xyz: Sequence[int], plan: RetinaConfig) -> tuple[int, int, int]:
    """The window to look through: all of a plane where it may be, as deep as memory allows.

    Of all depths that need as few windows, the least is taken. Windows must begin where the
    coarsest level has a cell, or their outputs could not be laid over one another.

    Args:
        shape_xyz: Of the image.
        plan: Its `window_xyz`, `window_voxels` and `window_overlap` bound the window.
    """
    padded = [
        -(-size // part) * part for size, part in zip(shape_xyz, SIZE_DIVISOR_XYZ, strict=True)
    ]
    x, y = (min(size, most) for size, most in zip(padded[:2], plan.window_xyz, strict=False))
    deepest = min(plan.window_xyz[2], plan.window_voxels // (x * y))
    if padded[2] <= deepest:
        return x, y, padded[2]
    cell, step = SIZE_DIVISOR_XYZ[2], 1 - plan.window_overlap
    depths = [z for z in range(cell, max(deepest, 4 * cell) + 1, cell) if z * step % cell == 0]
    counts = [-(-(padded[2] - z) // int(z * step)) + 1 for z in depths]
    return x, y, depths[counts.index(counts[-1])]


def _inside(centres_xyz: NDArray[np.float64], search_mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    nearest = np.rint(centres_xyz[:, ::-1]).astype(np.intp)
    nearest = np.clip(nearest, 0, np.subtract(search_mask.shape, 1))
    inside: NDArray[np.bool_] = search_mask[tuple(nearest.T)]
    return inside
