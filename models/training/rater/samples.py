"""Training samples for the malignancy rater: real nodules with their readers' ratings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.models.views.rating import HU_WINDOW, ResampledNodule, network_input, rating_view
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.rater.configuration import RaterSamplingConfig

MIN_SUSPICIOUS_RATING, MAX_BENIGN_RATING = 4, 2
"""Median of the readers' ratings: 4 and 5 are suspicious, 1 and 2 are not, 3 is neither."""

NOT_CALCIFIED = 6
"""Readers' calcification rating of a nodule without calcification."""

MARGIN_VOXELS = 8
"""Voxels of a crop that are kept around the outline."""


class RatingSamples(SeededSamples):
    """Views of nodules with the probability that readers call them suspicious.

    Args:
        nodules: Real nodules; those whose rating has no target are left out.
        sampling: Target of each rating, and how samples are varied.
        length: Number of samples.
        seed: Seed of all random choices.

    Raises:
        UsageError: No nodule is left.
    """

    def __init__(
        self,
        nodules: Sequence[NoduleCrop],
        sampling: RaterSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        self._examples = [
            (outlined, target, _attributes(nodule))
            for nodule in nodules
            if (target := _target(nodule, sampling)) is not None
            and (outlined := as_outlined(nodule)) is not None
        ]
        if not self._examples:
            msg = (
                f"a rater needs nodules whose rating has a target in sampling.targets, got none "
                f"among {len(nodules)}"
            )
            raise UsageError(msg)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` [6, 24, 24, 24] and ``target`` [4], below 0 where not known."""
        sampling = self.sampling
        nodule, target, attributes = self._examples[int(rng.integers(len(self._examples)))]
        rotation = np.diag(rng.choice([-1.0, 1.0], 3))
        if rng.random() < sampling.free_rotation_probability:
            rotation = rotation @ _free_rotation(rng)
        if rng.random() < sampling.outline_variation_probability:
            nodule = ResampledNodule(nodule.hu, _varied_outline(nodule.fraction, rng))
        view = rating_view(nodule, rotation)
        if view is None:  # the varied outline is too narrow for so small a nodule
            return self.sample(rng)
        view[0] = _degraded(view[0], rng, sampling.noise_hu)
        return {
            "image": torch.from_numpy(network_input(view, HU_WINDOW)),
            "target": torch.tensor([target, *attributes], dtype=torch.float32),
        }


def as_outlined(crop: NoduleCrop) -> ResampledNodule | None:
    """Crops a nodule to its outline and a margin.

    Args:
        crop: Nodule with its readers' mask.

    Returns:
        HU and mask in float32; None where no voxel is at least half nodule.
    """
    boxes = ndimage.find_objects((crop.mask >= 0.5).astype(int))
    if not boxes:
        return None
    near = tuple(
        slice(max(part.start - MARGIN_VOXELS, 0), part.stop + MARGIN_VOXELS) for part in boxes[0]
    )
    return ResampledNodule(
        np.asarray(crop.hu[near], np.float32), np.asarray(crop.mask[near], np.float32)
    )


def is_suspicious(finding: KnownFinding) -> bool | None:
    """Whether readers rated a finding 4 or 5; None for a rating of 3 or none.

    Args:
        finding: Finding with the median of its readers' ratings.
    """
    rating = finding.malignancy
    if rating is None or MAX_BENIGN_RATING < rating < MIN_SUSPICIOUS_RATING:
        return None
    return rating >= MIN_SUSPICIOUS_RATING


def _attributes(crop: NoduleCrop) -> tuple[float, float, float]:
    """Spiculation and texture, medians of the readers, and calcification; 0 to 1, or -1."""
    finding = crop.finding
    return (
        -1.0 if finding.spiculation is None else (finding.spiculation - 1) / 4,
        -1.0 if finding.texture is None else (finding.texture - 1) / 4,
        -1.0 if finding.calcification is None else float(finding.calcification < NOT_CALCIFIED),
    )


def _target(crop: NoduleCrop, sampling: RaterSamplingConfig) -> float | None:
    rating = crop.finding.malignancy
    return None if rating is None else sampling.targets[round(rating) - 1]


def _free_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """By any angle about the long axis, by up to 15 degrees about the others; scaled by 7 %."""
    angles = rng.uniform(-1, 1, 3) * (180.0, 15.0, 15.0)
    rotation = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()  # x here is axis z
    return np.asarray(rotation * np.exp(rng.normal(0.0, 0.07)))


def _varied_outline(fraction: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """An outline as another reader would draw it: smoother, up to a voxel wider or narrower."""
    smooth = ndimage.gaussian_filter(fraction, float(rng.uniform(0.5, 1.0)))
    cut = float(rng.uniform(0.25, 0.65))
    varied: NDArray[np.float32] = np.clip(0.5 + 2 * (smooth - cut), 0, 1).astype(np.float32)
    return varied


def _degraded(
    hu: NDArray[np.float32], rng: np.random.Generator, noise_hu: float
) -> NDArray[np.float32]:
    """Adds blur, noise with and without grain, and a shift of HU."""
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.8, 3))
    if rng.random() < 0.5:
        noise = rng.standard_normal(hu.shape, dtype=np.float32)
        if rng.random() < 0.5:
            noise = ndimage.gaussian_filter(noise, 0.7)
            noise /= noise.std()
        hu = hu + noise * np.float32(rng.uniform(5.0, noise_hu))
    return (hu + np.float32(rng.normal(0.0, 12.0))).astype(np.float32)
