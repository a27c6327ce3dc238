"""Training samples for the malignancy rater: real nodules with what readers thought of them."""

from __future__ import annotations

from dataclasses import dataclass
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

SUSPICIOUS_FROM, BENIGN_TO = 4, 2
"""Median of the readers' ratings: 4 and 5 are suspicious, 1 and 2 are not, 3 is neither."""

NOT_CALCIFIED = 6
"""Readers' calcification where there is none."""

KEPT_AROUND = 8
"""Voxels of a crop that are kept around the outlines."""


@dataclass(frozen=True, slots=True)
class RaterSamplingConfig:
    """How samples are drawn and varied.

    Attributes:
        targets: Probability to be taught for the ratings 1 to 5; None leaves a rating out.
        turned: Part of the samples that are turned by any angle in the plane, tilted by some
            degrees and scaled by some percent; all are flipped at random.
        redrawn: Part of the samples whose outline is drawn anew: smoother, wider or narrower.
        noise_hu: Largest deviation of the noise that is added to half of the samples.
    """

    targets: tuple[float | None, float | None, float | None, float | None, float | None]
    turned: float = 0.7
    redrawn: float = 0.5
    noise_hu: float = 40.0


class RatingSamples(SeededSamples):
    """Views of nodules with the probability that readers call them suspicious.

    Args:
        nodules: Real ones; those whose rating is not taught are left out.
        plan: How samples are drawn.
        length: How many samples there are.
        seed: Of all choices.

    Raises:
        UsageError: No nodule is left.
    """

    def __init__(
        self, nodules: Sequence[NoduleCrop], plan: RaterSamplingConfig, *, length: int, seed: int
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        self._taught = [
            (outlined, target, _looks(nodule))
            for nodule in nodules
            if (target := _target(nodule, plan)) is not None
            and (outlined := as_outlined(nodule)) is not None
        ]
        if not self._taught:
            msg = f"a rater needs nodules whose rating is taught, got none among {len(nodules)}"
            raise UsageError(msg)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [6, 24, 24, 24] and ``target`` [4], below 0 where not known."""
        plan = self.plan
        nodule, target, looks = self._taught[int(rng.integers(len(self._taught)))]
        turn = np.diag(rng.choice([-1.0, 1.0], 3))
        if rng.random() < plan.turned:
            turn = turn @ _any_turn(rng)
        if rng.random() < plan.redrawn:
            nodule = ResampledNodule(nodule.hu, _redrawn(nodule.fraction, rng))
        view = rating_view(nodule, turn)
        if view is None:  # drawn too narrow for a nodule so small
            return self.sample(rng)
        view[0] = _scanned(view[0], rng, plan.noise_hu)
        return {
            "image": torch.from_numpy(network_input(view, HU_WINDOW)),
            "target": torch.tensor([target, *looks], dtype=torch.float32),
        }


def as_outlined(crop: NoduleCrop) -> ResampledNodule | None:
    """The surroundings of the outlines alone; None where no voxel is at least half nodule."""
    boxes = ndimage.find_objects((crop.mask >= 0.5).astype(int))
    if not boxes:
        return None
    near = tuple(
        slice(max(part.start - KEPT_AROUND, 0), part.stop + KEPT_AROUND) for part in boxes[0]
    )
    return ResampledNodule(
        np.asarray(crop.hu[near], np.float32), np.asarray(crop.mask[near], np.float32)
    )


def is_suspicious(finding: KnownFinding) -> bool | None:
    """What readers thought; None where they were in doubt or are not known."""
    rating = finding.malignancy
    if rating is None or BENIGN_TO < rating < SUSPICIOUS_FROM:
        return None
    return rating >= SUSPICIOUS_FROM


def _looks(crop: NoduleCrop) -> tuple[float, float, float]:
    """Readers' medians of spiculation and texture, and whether it is calcified; 0 to 1."""
    rated = crop.finding
    return (
        -1.0 if rated.spiculation is None else (rated.spiculation - 1) / 4,
        -1.0 if rated.texture is None else (rated.texture - 1) / 4,
        -1.0 if rated.calcification is None else float(rated.calcification < NOT_CALCIFIED),
    )


def _target(crop: NoduleCrop, plan: RaterSamplingConfig) -> float | None:
    rating = crop.finding.malignancy
    return None if rating is None else plan.targets[round(rating) - 1]


def _any_turn(rng: np.random.Generator) -> NDArray[np.float64]:
    """By any angle about the body's long axis, by up to 15 degrees about others; scaled by 7 %."""
    angles = rng.uniform(-1, 1, 3) * (180.0, 15.0, 15.0)
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()  # x here is axis z
    return np.asarray(turn * np.exp(rng.normal(0.0, 0.07)))


def _redrawn(share: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """An outline as another hand would draw it: smoother, and up to a voxel wider or narrower."""
    smooth = ndimage.gaussian_filter(share, float(rng.uniform(0.5, 1.0)))
    cut = float(rng.uniform(0.25, 0.65))
    anew: NDArray[np.float32] = np.clip(0.5 + 2 * (smooth - cut), 0, 1).astype(np.float32)
    return anew


def _scanned(
    hu: NDArray[np.float32], rng: np.random.Generator, noise_hu: float
) -> NDArray[np.float32]:
    """Blur, noise with and without grain, and a shift of HU."""
    if rng.random() < 0.3:
        hu = ndimage.gaussian_filter(hu, rng.uniform(0.2, 0.8, 3))
    if rng.random() < 0.5:
        noise = rng.standard_normal(hu.shape, dtype=np.float32)
        if rng.random() < 0.5:
            noise = ndimage.gaussian_filter(noise, 0.7)
            noise /= noise.std()
        hu = hu + noise * np.float32(rng.uniform(5.0, noise_hu))
    return (hu + np.float32(rng.normal(0.0, 12.0))).astype(np.float32)
