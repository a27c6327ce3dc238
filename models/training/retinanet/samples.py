"""Training patches for the RetinaNet, cut and augmented as in the MONAI bundle's training."""

from __future__ import annotations

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
    from hounsfield.models.training.retinanet.configuration import RetinaSamplingConfig

NODULE, IGNORED, NO_BOX = 0, 1, -1
"""Labels of boxes; the last one marks unused rows."""

FREE_ROTATION_PROBABILITY, MAX_ROTATION_DEGREES = 0.2, 30.0
"""Probability that a patch is rotated by any angle, and the largest angle about each axis."""

MAX_BOXES = 64
"""Rows for the boxes of a patch; nodules come before boxes to ignore."""


class RetinaSamples(SeededSamples):
    """Patches with their boxes.

    Args:
        cases: Prepared series, all of one spacing.
        sampling: Probabilities and sizes from the `sampling` section of the configuration.
        augmentation: Transforms of training patches, after a rotation by any angle of some; None
            leaves patches as they are, for validation.
        length: Number of samples.
        seed: Seed of all random choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        sampling: RetinaSamplingConfig,
        *,
        augmentation: Compose | None,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        self._cases = list(cases)
        self._augmentation = augmentation

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Makes sample `index`, with its ``index``."""
        return {**super().__getitem__(index), "index": torch.tensor(index)}

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` [1, x, y, z], ``boxes`` (64, 6) and ``labels`` (64,)."""
        case = self._cases[int(rng.integers(len(self._cases)))]
        image, boxes, labels = self._patch(case, rng)
        if self._augmentation is not None:
            if rng.random() < FREE_ROTATION_PROBABILITY:
                image, boxes, labels = rotated(image, boxes, labels, rng)
            self._augmentation.set_random_state(seed=int(rng.integers(2**31)))
            image, boxes, labels = _augmented(self._augmentation, image, boxes, labels)
        return {"image": image, **_padded(boxes, labels)}

    def _patch(
        self, case: PreparedCase, rng: np.random.Generator
    ) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
        """A patch with the boxes (n, 6) that reach into it, and their labels (n,)."""
        boxes, labels = ras_boxes(case)
        nodules = boxes[labels == NODULE]
        chosen = None
        if len(nodules) and rng.random() < self.sampling.nodule_probability:
            chosen = nodules[int(rng.integers(len(nodules)))]
        shape = np.array(case.volume.hu.shape[::-1])
        start = patch_start(shape, np.array(self.sampling.patch_xyz), chosen, rng)
        image = _cut(case.volume.hu, start, self.sampling)
        boxes = boxes - np.tile(start, 2)
        inside = (boxes[:, 3:] > 0).all(axis=1) & (boxes[:, :3] < self.sampling.patch_xyz).all(
            axis=1
        )
        return image, boxes[inside].astype(np.float32), labels[inside]


def ras_boxes(case: PreparedCase) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Makes boxes around a case's findings.

    The boxes are in voxels of the array that the network sees (`ras_image`), with voxel centres at
    integers, as `RetinaDetector` reads them.

    Args:
        case: Prepared series with its known findings.

    Returns:
        Boxes ``[n, 6]``, low corner and high corner in x, y, z, and their labels ``[n]``, nodules
        first.
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
    """Samples the first voxel of a patch.

    The patch lies inside the volume where it fits, and around the whole box where one is given. A
    volume smaller than the patch is centred in it; so is a box larger than the patch.

    Args:
        shape: Size of the volume in voxels, x, y, z.
        patch: Size of the patch in voxels, x, y, z.
        box: Low and high corner of the box to hold, ``[6]``, in voxels of the volume; None: no box.
        rng: Source of all random choices.

    Returns:
        First voxel, x, y, z; negative where the patch begins outside the volume.
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


def bundle_augmentation() -> Compose:
    """Returns the bundle's augmentation, with its probabilities and ranges, but for `rotated`."""
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


def rotated(
    image: torch.Tensor,
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
    """Rotates a patch about all three axes.

    The bundle finds the boxes again in a rotated mask instead, which moves them by half a voxel.

    Args:
        image: Patch ``[1, x, y, z]``.
        boxes: Boxes ``[n, 6]`` in voxels of the patch.
        labels: Labels of the boxes, ``[n]``.
        rng: Source of all random choices.

    Returns:
        Patch, boxes and labels. Boxes keep their sizes; those whose centre leaves the patch are
        dropped.
    """
    angles = rng.uniform(-MAX_ROTATION_DEGREES, MAX_ROTATION_DEGREES, 3)
    matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    size = np.array(image.shape[1:])
    middle = (size - 1) / 2
    grey = ndimage.affine_transform(image[0].numpy(), matrix, middle - matrix @ middle, order=1)
    centres, half = (boxes[:, :3] + boxes[:, 3:]) / 2, (boxes[:, 3:] - boxes[:, :3]) / 2
    centres = (centres - middle) @ matrix + middle  # by the inverse, which is the transpose
    kept = ((centres >= 0) & (centres < size)).all(axis=1)
    moved = np.concatenate((centres - half, centres + half), axis=1)[kept].astype(np.float32)
    return torch.from_numpy(grey)[None], moved, labels[kept]


def _augmented(
    augment: Compose, image: torch.Tensor, boxes: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[torch.Tensor, NDArray[np.float32], NDArray[np.int64]]:
    """Augments image and boxes together; MONAI's boxes start at the corner of the first voxel."""
    sample = augment(
        {
            "image": image,
            "boxes": torch.from_numpy(boxes + np.float32(0.5)),
            "labels": torch.from_numpy(labels),
        }
    )
    changed = torch.as_tensor(sample["image"]).as_subclass(torch.Tensor).contiguous()
    return changed, np.asarray(sample["boxes"]) - np.float32(0.5), np.asarray(sample["labels"])


def _cut(
    hu: NDArray[np.int16], start: NDArray[np.int64], sampling: RetinaSamplingConfig
) -> torch.Tensor:
    """The patch at `start` of the array that the network sees; air outside the volume."""
    patch = np.array(sampling.patch_xyz)
    shape = np.array(hu.shape[::-1])
    # x and y run in the opposite direction in the volume itself.
    first = np.concatenate((shape[:2] - start[:2] - patch[:2], start[2:]))
    low, high = np.clip(first, 0, shape), np.clip(first + patch, 0, shape)
    padded = np.full(patch[::-1], round(sampling.hu_window[0]), np.int16)
    target = tuple(slice(a, b) for a, b in zip(low - first, high - first, strict=True))
    source = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    padded[target[::-1]] = hu[source[::-1]]
    return ras_image(padded, sampling.hu_window)


def _padded(boxes: NDArray[np.float32], labels: NDArray[np.int64]) -> dict[str, torch.Tensor]:
    """Boxes and labels padded to a fixed number of rows, so that patches form a batch."""
    all_boxes, all_labels = torch.zeros(MAX_BOXES, 6), torch.full((MAX_BOXES,), NO_BOX)
    count = min(len(boxes), MAX_BOXES)
    all_boxes[:count] = torch.from_numpy(boxes[:count])
    all_labels[:count] = torch.from_numpy(labels[:count])
    return {"boxes": all_boxes, "labels": all_labels}
