"""Training patches for the RetinaNet, cut and varied as the MONAI bundle's recipe says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from monai.apps.detection.transforms.dictionary import (
    ClipBoxToImaged,
    RandFlipBoxd,
    RandRotateBox90d,
    RandZoomBoxd,
)
from monai.transforms.compose import Compose
from monai.transforms.intensity.dictionary import (
    RandAdjustContrastd,
    RandGaussianNoised,
    RandGaussianSmoothd,
    RandScaleIntensityd,
    RandShiftIntensityd,
)
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hounsfield.models.inference.retina_detector import ras_image
from hounsfield.models.training.engine.seeded_samples import SeededSamples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase

NODULE, IGNORED, NO_BOX = 0, 1, -1
"""Labels of boxes; places of the last are empty."""

FREE_TURN_SHARE, FREE_TURN_DEGREES = 0.2, 30.0
"""Part of the varied patches that are turned by any angle, and the largest about each axis."""

MAX_BOXES = 64
"""As many a patch are told; nodules go before what is ignored."""


@dataclass(frozen=True, slots=True)
class RetinaSamplingConfig:
    """How patches are drawn; every number stands in the recipe.

    Attributes:
        patch_xyz: In voxels at the cases' own spacing; divisible by (16, 16, 8).
        nodule_share: Part of the patches that hold a chosen nodule whole; the rest lie anywhere.
        hu_window: HU that become 0 and 1.
    """

    patch_xyz: tuple[int, int, int] = (192, 192, 80)
    nodule_share: float = 0.5
    hu_window: tuple[float, float] = (-1024.0, 300.0)


class RetinaSamples(SeededSamples):
    """Patches with their boxes.

    Args:
        cases: Prepared series, all of one spacing.
        plan: How patches are drawn.
        varied: Whether patches are turned, scaled, blurred and so on; those to validate on are not.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        plan: RetinaSamplingConfig,
        *,
        varied: bool,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        self._cases = list(cases)
        self._vary = variation() if varied else None

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """As `sample`, and its ``index``."""
        return {**super().__getitem__(index), "index": torch.tensor(index)}

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [1, x, y, z], ``boxes`` (64, 6) and ``labels`` (64,)."""
        case = self._cases[int(rng.integers(len(self._cases)))]
        image, boxes, labels = self._patch(case, rng)
        if self._vary:
            if rng.random() < FREE_TURN_SHARE:
                image, boxes, labels = turned(image, boxes, labels, rng)
            self._vary.set_random_state(seed=int(rng.integers(2**31)))
            image, boxes, labels = _varied(self._vary, image, boxes, labels)
        return {"image": image, **_padded(boxes, labels)}

    def _patch(
        self, case: PreparedCase, rng: np.random.Generator
    ) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
        """A patch with the boxes (n, 6) that reach into it, and their labels (n,)."""
        boxes, labels = ras_boxes(case)
        nodules = boxes[labels == NODULE]
        chosen = None
        if len(nodules) and rng.random() < self.plan.nodule_share:
            chosen = nodules[int(rng.integers(len(nodules)))]
        shape = np.array(case.volume.hu.shape[::-1])
        start = patch_start(shape, np.array(self.plan.patch_xyz), chosen, rng)
        image = _cut(case.volume.hu, start, self.plan)
        boxes = boxes - np.tile(start, 2)
        inside = (boxes[:, 3:] > 0).all(axis=1) & (boxes[:, :3] < self.plan.patch_xyz).all(axis=1)
        return image, boxes[inside].astype(np.float32), labels[inside]


def ras_boxes(case: PreparedCase) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Boxes (n, 6) around a case's findings and their labels (n,), nodules first.

    The boxes are in voxels of the array that the network sees (`ras_image`), voxel centres at
    whole numbers, as `RetinaDetector` reads them.
    """
    findings = sorted(case.findings, key=lambda finding: finding.ignored)
    if not findings:
        return np.zeros((0, 6)), np.zeros(0, np.int64)
    volume = case.volume
    centres = volume.voxel_xyz([finding.centre_world_mm for finding in findings])
    centres[:, :2] = np.subtract(volume.hu.shape[:0:-1], 1) - centres[:, :2]
    half = np.array([finding.diameter_mm / 2 for finding in findings])[:, None] / volume.spacing_mm
    labels = np.array([IGNORED if finding.ignored else NODULE for finding in findings], np.int64)
    return np.concatenate((centres - half, centres + half), axis=1), labels


def patch_start(
    shape: NDArray[np.int64],
    patch: NDArray[np.int64],
    box: NDArray[np.float64] | None,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Where a patch begins: inside the volume where it fits, around a whole box where one is given.

    A volume that is smaller than the patch lies in its middle; so does a box that is larger.
    """
    low = np.minimum(0, (shape - patch) // 2)
    high = np.maximum(shape - patch, low)
    if box is not None:
        first = np.ceil(box[3:]).astype(np.int64) + 1 - patch
        last = np.floor(box[:3]).astype(np.int64)
        middle = np.rint((box[:3] + box[3:] - patch) / 2).astype(np.int64)
        first, last = np.where(first > last, middle, first), np.where(first > last, middle, last)
        low, high = np.clip(first, low, high), np.clip(last, low, high)
    start: NDArray[np.int64] = rng.integers(low, high + 1)
    return start


def variation() -> Compose:
    """The bundle's augmentation, with its probabilities and ranges, but for `turned`."""
    both: dict[str, Any] = {
        "image_keys": "image",
        "box_keys": "boxes",
        "box_ref_image_keys": "image",
    }
    labelled: dict[str, Any] = {
        "box_keys": "boxes",
        "label_keys": "labels",
        "box_ref_image_keys": "image",
    }
    return Compose(
        [
            RandZoomBoxd(**both, prob=0.2, min_zoom=0.7, max_zoom=1.4, padding_mode="constant"),
            ClipBoxToImaged(**labelled, remove_empty=True),
            *(RandFlipBoxd(**both, prob=0.5, spatial_axis=axis) for axis in range(3)),
            RandRotateBox90d(**both, prob=0.75, max_k=3, spatial_axes=(0, 1)),
            RandGaussianNoised("image", prob=0.1, std=0.1),
            RandGaussianSmoothd(
                "image", prob=0.1, sigma_x=(0.5, 1.0), sigma_y=(0.5, 1.0), sigma_z=(0.5, 1.0)
            ),
            RandScaleIntensityd("image", prob=0.15, factors=0.25),
            RandShiftIntensityd("image", prob=0.15, offsets=0.1),
            RandAdjustContrastd("image", prob=0.3, gamma=(0.7, 1.5)),
        ]
    )


def turned(
    image: torch.Tensor,
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
    """Turns a patch about all three axes; boxes keep their sizes, and leave with their centres.

    The bundle finds the boxes again in a turned mask, which moves them by half a voxel.
    """
    angles = rng.uniform(-FREE_TURN_DEGREES, FREE_TURN_DEGREES, 3)
    matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    size = np.array(image.shape[1:])
    middle = (size - 1) / 2
    grey = ndimage.affine_transform(image[0].numpy(), matrix, middle - matrix @ middle, order=1)
    centres, half = (boxes[:, :3] + boxes[:, 3:]) / 2, (boxes[:, 3:] - boxes[:, :3]) / 2
    centres = (centres - middle) @ matrix + middle  # by the inverse, which is the transpose
    kept = ((centres >= 0) & (centres < size)).all(axis=1)
    moved = np.concatenate((centres - half, centres + half), axis=1)[kept].astype(np.float32)
    return torch.from_numpy(grey)[None], moved, labels[kept]


def _varied(
    vary: Compose, image: torch.Tensor, boxes: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
    """Turns image and boxes together; MONAI's boxes count from the corner of the first voxel."""
    sample = vary(
        {
            "image": image,
            "boxes": torch.from_numpy(boxes + np.float32(0.5)),
            "labels": torch.from_numpy(labels),
        }
    )
    varied = torch.as_tensor(sample["image"]).as_subclass(torch.Tensor).contiguous()
    return varied, np.asarray(sample["boxes"]) - np.float32(0.5), np.asarray(sample["labels"])


def _cut(
    hu: NDArray[np.int16], start: NDArray[np.int64], plan: RetinaSamplingConfig
) -> torch.Tensor:
    """The patch at `start` of the array that the network sees; air outside the volume."""
    patch = np.array(plan.patch_xyz)
    shape = np.array(hu.shape[::-1])
    # x and y run the other way in the volume itself.
    first = np.concatenate((shape[:2] - start[:2] - patch[:2], start[2:]))
    low, high = np.clip(first, 0, shape), np.clip(first + patch, 0, shape)
    padded = np.full(patch[::-1], round(plan.hu_window[0]), np.int16)
    into = tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    padded[into[::-1]] = hu[source[::-1]]
    return ras_image(padded, plan.hu_window)


def _padded(boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, torch.Tensor]:
    """Boxes and labels in places of a fixed number, so that patches make a batch."""
    all_boxes, all_labels = torch.zeros(MAX_BOXES, 6), torch.full((MAX_BOXES,), NO_BOX)
    count = min(len(boxes), MAX_BOXES)
    all_boxes[:count] = torch.from_numpy(boxes[:count])
    all_labels[:count] = torch.from_numpy(labels[:count])
    return {"boxes": all_boxes, "labels": all_labels}
