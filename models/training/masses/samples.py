"""Training crops for the mass detector: several from each synthetic case."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS
from hounsfield.models.training.masses.synthesis.cases import make_case
from hounsfield.models.views.masses import mass_view
from hounsfield.preprocessing.lungs.morphology import dilate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.configuration import MassSamplingConfig
    from hounsfield.models.training.masses.synthesis.cases import MassCase

OUTSIDE = 2
"""Label of a voxel that the detector never segments; the others are `MASS`, `IGNORED` and 0."""

PADDING_HU = -1000

OWN_MASS_PROBABILITY = 0.75
"""Probability that a crop holds a mass of its case, where there is one."""

MIRROR_PROBABILITY = 0.15
"""Probability that right and left of a crop are exchanged."""


class _CroppedCase:
    """Image and labels of a case, from which crops are cut."""

    def __init__(self, image: NDArray[np.int16], labels: NDArray[np.uint8]) -> None:
        self.image = image
        self.labels = labels
        self.mass_voxels = np.argwhere(labels[::3, ::3, ::3] == MASS) * 3


class MassSamples(SeededSamples):
    """Crops of synthetic cases.

    A sample holds ``image``, int16 (crops, 3, z, y, x), and ``labels``, uint8 (crops, z, y, x).

    Args:
        chests: Real chests and phantoms, sampled in proportion to their lung volume.
        sampling: How crops are sampled.
        length: Number of samples.
        seed: Seed of all random choices.
        batch: Samples per batch, by which cases are used again.
    """

    def __init__(
        self,
        chests: Sequence[Chest],
        sampling: MassSamplingConfig,
        *,
        length: int,
        seed: int,
        batch: int = 1,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self._sampling = sampling
        self._batch = batch
        self._recent: OrderedDict[tuple[int, int], _CroppedCase] = OrderedDict()
        groups = [[c for c in chests if not c.synthetic], [c for c in chests if c.synthetic]]
        self._groups = [(group, _lung_fractions(group)) for group in groups]

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Makes sample `index`, from a case that this batch or an earlier one of its stream made.

        Raises:
            IndexError: `index` is not below the length.
        """
        if not 0 <= index < self.length:
            raise IndexError(index)
        case = self._case(self._case_number(index))
        return self._cut(case, np.random.default_rng((self.seed, 1, index)))

    def sample(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Makes the crops of a new case."""
        return self._cut(self._make(rng), rng)

    def _case_number(self, index: int) -> tuple[int, int]:
        """Stream and number of the case of a sample.

        The samples of a batch use `batch` successive cases of its stream; the next batch of the
        stream drops the first `batch` / `batches_per_case` of them and adds as many new ones.
        """
        batch, position = divmod(index, self._batch)
        turn, stream = divmod(batch, self._sampling.case_streams)
        new_cases = max(1, self._batch // self._sampling.batches_per_case)
        return stream, turn * new_cases + position

    def _case(self, number: tuple[int, int]) -> _CroppedCase:
        """Makes a case, or takes it from the recent ones."""
        if number not in self._recent:
            self._recent[number] = self._make(np.random.default_rng((self.seed, 0, *number)))
            while len(self._recent) > 2 * self._batch:
                self._recent.popitem(last=False)
        return self._recent[number]

    def _make(self, rng: np.random.Generator) -> _CroppedCase:
        (real, _), (synthetic, _) = self._groups
        use_real = bool(real) and (not synthetic or rng.random() < self._sampling.real_probability)
        group, probabilities = self._groups[0 if use_real else 1]
        case = make_case(group[int(rng.choice(len(group), p=probabilities))], rng)
        return _CroppedCase(*image_and_labels(case))

    def _cut(self, case: _CroppedCase, rng: np.random.Generator) -> dict[str, Tensor]:
        crops = [self._crop(case, rng) for _ in range(self._sampling.crops_per_case)]
        images, labels = zip(*crops, strict=True)
        return {
            "image": torch.from_numpy(np.stack(images)),
            "labels": torch.from_numpy(np.stack(labels)),
        }

    def _crop(
        self, case: _CroppedCase, rng: np.random.Generator
    ) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
        """A crop and its labels, padded where the case is smaller."""
        size = np.array(self._sampling.crop_voxels)
        room = np.maximum(np.array(case.labels.shape) - size, 0)
        start = rng.integers(room + 1)
        if len(case.mass_voxels) and rng.random() < OWN_MASS_PROBABILITY:
            voxel = case.mass_voxels[int(rng.integers(len(case.mass_voxels)))]
            start = np.clip(voxel - (size * rng.uniform(0.2, 0.8, 3)).astype(int), 0, room)
        part = tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True))
        image, labels = case.image[(slice(None), *part)], case.labels[part]
        if rng.random() < MIRROR_PROBABILITY:
            image, labels = image[..., ::-1], labels[..., ::-1]
        pad = [(0, int(n - length)) for n, length in zip(size, labels.shape, strict=True)]
        padded = np.pad(image, [(0, 0), *pad])
        if any(after for _, after in pad):
            padded[0] = np.pad(image[0], pad, constant_values=PADDING_HU)
        return padded, np.pad(labels, pad, constant_values=IGNORED)


def _lung_fractions(chests: Sequence[Chest]) -> NDArray[np.float64]:
    """The fraction of all lung voxels that each chest has."""
    sizes = np.array([np.count_nonzero(chest.lungs) for chest in chests], float)
    fractions: NDArray[np.float64] = sizes / max(1.0, sizes.sum())
    return fractions


def image_and_labels(case: MassCase) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Cuts the network's view out of a case, with the label of each voxel.

    Args:
        case: Synthetic case with its ground truth.

    Returns:
        The image of a `MassView`, and labels ``[z, y, x]``: `MASS`, `IGNORED`, `OUTSIDE` or 0.
    """
    view = mass_view(case.lungs)
    labels = case.labels[view.box].copy()
    around = dilate(dilate(dilate(labels == MASS)))
    labels[~view.region & ~around & (labels == 0)] = OUTSIDE
    return view.image, labels


def join_crops(samples: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Joins the crops of several samples into one batch.

    Args:
        samples: Samples of `MassSamples`, at least one.

    Returns:
        The tensors of all samples, concatenated along the first axis.
    """
    return {name: torch.cat([sample[name] for sample in samples]) for name in samples[0]}


class CachedSamples(Dataset[dict[str, Tensor]]):
    """Samples that are made once and kept in memory, for validation.

    Args:
        samples: Data set whose samples are made.
        workers: Number of processes that make them.
    """

    def __init__(self, samples: Dataset[dict[str, Tensor]], *, workers: int = 0) -> None:
        loader = DataLoader(samples, batch_size=None, num_workers=workers)
        self._samples = [{name: value.clone() for name, value in row.items()} for row in loader]

    def __len__(self) -> int:
        """Returns the number of samples."""
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """Returns sample `index`."""
        return self._samples[index]
