"""Training crops for the detector: real lungs and phantoms, with nodules of all kinds added."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from hounsfield.models.training.augmentation.added_nodules import AddedNodules
from hounsfield.models.training.augmentation.backgrounds import Background
from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import rotated_crop
from hounsfield.models.training.detector.targets import detection_target
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.augmentation.crop import Crop, CropNodule
    from hounsfield.models.training.detector.configuration import DetectorSamplingConfig

ROTATION_MARGIN = 14
"""Voxels on every side of a crop that a rotation may bring in."""

BORDER_VOXELS = 4
"""Nodules are not added nearer than this to the border of a crop."""


class DetectionSamples(SeededSamples):
    """Crops with their target maps.

    Args:
        cases: Prepared series; their findings are nodules or places to ignore.
        crops: Real nodules to paste; without any, all added nodules are synthetic.
        sampling: Probabilities and sizes from the `sampling` section of the configuration.
        length: Number of samples.
        seed: Seed of all random choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        crops: Sequence[NoduleCrop],
        sampling: DetectorSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        self._real = [Background(case) for case in cases if not case.synthetic]
        self._synthetic = [Background(case) for case in cases if case.synthetic]
        self._added = AddedNodules(crops, synthetic_probability=sampling.synthetic_probability)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` [1, s, s, s], from 0 to 1, and the maps of `DetectionTarget`."""
        hu, nodules = self.crop(rng)
        target = detection_target(nodules, self.sampling.crop_voxels)
        image = normalise_hu(degrade(hu, rng), self.sampling.hu_window)
        return {
            "image": torch.from_numpy(image[None]),
            "heat": torch.from_numpy(target.heat),
            "regression": torch.from_numpy(target.regression),
            "sized": torch.from_numpy(target.sized),
            "weight": torch.from_numpy(target.weight),
        }

    def crop(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[CropNodule]]:
        """Samples a crop in HU, before degradation, and the nodules in it."""
        sampling = self.sampling
        background = self._background(rng)
        centred = background.has_nodules and rng.random() < sampling.centred_probability
        centre = (
            background.nodule_site(rng, sampling.crop_voxels // 4)
            if centred
            else self._other_site(background, rng)
        )
        crop = background.cut(centre, sampling.crop_voxels + 2 * ROTATION_MARGIN)
        if not centred and rng.random() < sampling.added_probability:
            for _ in range(int(rng.choice((1, 2), p=(0.7, 0.3)))):
                self._add(crop, rng)
        if self._added.has_real and rng.random() < sampling.negative_paste_probability:
            self._paste_lung(crop, background, rng)
        return rotated_crop(
            crop.hu,
            crop.nodules,
            sampling.crop_voxels,
            free_rotation_probability=sampling.free_rotation_probability,
            rng=rng,
        )

    def _background(self, rng: np.random.Generator) -> Background:
        real = bool(self._real) and (
            not self._synthetic or rng.random() < self.sampling.real_probability
        )
        pool = self._real if real else self._synthetic
        return pool[int(rng.integers(len(pool)))]

    def _other_site(self, background: Background, rng: np.random.Generator) -> NDArray[np.int64]:
        """The centre of a crop that is not centred on a nodule."""
        if background.has_false_candidates and rng.random() < self.sampling.candidate_probability:
            return background.false_candidate_site(rng)
        if rng.random() < self.sampling.search_probability:
            return background.search_site(rng)
        return background.lung_site(rng)

    def _add(self, crop: Crop, rng: np.random.Generator) -> None:
        """Adds a nodule in the lung, clear of others, if there is room."""
        mass = bool(rng.random() < self.sampling.mass_probability)
        edge = bool(rng.random() < self.sampling.edge_probability)
        margin = ROTATION_MARGIN + BORDER_VOXELS
        self._added.add(
            crop,
            rng,
            mass=mass,
            site_for=lambda mm: crop.free_site(rng, edge=edge, margin=margin, diameter_mm=mm),
        )

    def _paste_lung(self, crop: Crop, background: Background, rng: np.random.Generator) -> None:
        """Pastes lung over lung with a nodule's opacity."""
        self._added.add_lung(
            crop,
            background,
            rng,
            site_for=lambda mm: crop.free_site(
                rng, edge=False, margin=ROTATION_MARGIN, diameter_mm=mm
            ),
        )
