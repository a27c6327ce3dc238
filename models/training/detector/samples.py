"""Training crops for the detector: real and digital lungs, with nodules of all kinds put in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from hounsfield.models.training.augmentation.added_nodules import AddedNodules
from hounsfield.models.training.augmentation.backgrounds import BORDER_VOXELS, Background
from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import turned_crop
from hounsfield.models.training.detector.targets import detection_target
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.augmentation.backgrounds import Crop
    from hounsfield.models.training.detector.targets import CropNodule

TURNING_ROOM = 14
"""Voxels on every side of a crop that turning may bring in."""


@dataclass(frozen=True, slots=True)
class DetectorSamplingConfig:
    """How crops are drawn; every number stands in the configuration.

    Attributes:
        crop_voxels: Edge of the cubic crop, at the working spacing.
        real_share: Part of the crops from real series where there are phantoms too.
        centred_share: Part of the crops around one of the case's own nodules, where it has some.
        candidate_share: Part of the others around a place that looks like a nodule and is none,
            where the data set lists such.
        search_share: Part of the others that may lie anywhere a finding is looked for.
        added_share: Part of the crops not around a nodule that get one or two put in.
        drawn_share: Part of these that are drawn, not real.
        mass_share: Part of these that are of 30 to 100 mm.
        edge_share: Part of these at the lung's edge.
        negative_paste_share: Part of the crops where lung is pasted over lung too.
        free_turn_share: Part of the crops turned by any angle and scaled.
        hu_window: HU that become 0 and 1.
    """

    crop_voxels: int = 64
    real_share: float = 0.7
    centred_share: float = 0.5
    candidate_share: float = 0.3
    search_share: float = 0.15
    added_share: float = 0.7
    drawn_share: float = 0.25
    mass_share: float = 0.0
    edge_share: float = 0.35
    negative_paste_share: float = 0.3
    free_turn_share: float = 0.5
    hu_window: tuple[float, float] = (-1000.0, 400.0)


class DetectionSamples(SeededSamples):
    """Crops with their heat-maps.

    Args:
        cases: Prepared series; their findings are nodules or places to ignore.
        crops: Real nodules to paste; without any, all that are added are drawn.
        plan: How crops are drawn.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        crops: Sequence[NoduleCrop],
        plan: DetectorSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        self._real = [Background(case) for case in cases if not case.synthetic]
        self._synthetic = [Background(case) for case in cases if case.synthetic]
        self._added = AddedNodules(crops, drawn_share=plan.drawn_share)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [1, s, s, s] and the maps of `DetectionTarget`."""
        hu, nodules = self.draw(rng)
        target = detection_target(nodules, self.plan.crop_voxels)
        image = normalise_hu(degrade(hu, rng), self.plan.hu_window)
        return {
            "image": torch.from_numpy(image[None]),
            "heat": torch.from_numpy(target.heat),
            "regression": torch.from_numpy(target.regression),
            "sized": torch.from_numpy(target.sized),
            "weight": torch.from_numpy(target.weight),
        }

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[CropNodule]]:
        """A crop in HU, before the scanner's part, and the nodules in it."""
        plan = self.plan
        background = self._background(rng)
        centred = background.has_nodules and rng.random() < plan.centred_share
        centre = (
            background.nodule_site(rng, plan.crop_voxels // 4)
            if centred
            else self._other_site(background, rng)
        )
        crop = background.cut(centre, plan.crop_voxels + 2 * TURNING_ROOM)
        if not centred and rng.random() < plan.added_share:
            for _ in range(int(rng.choice((1, 2), p=(0.7, 0.3)))):
                self._add(crop, rng)
        if self._added.has_real and rng.random() < plan.negative_paste_share:
            self._paste_lung(crop, background, rng)
        return turned_crop(
            crop.hu, crop.nodules, plan.crop_voxels, free_share=plan.free_turn_share, rng=rng
        )

    def _background(self, rng: np.random.Generator) -> Background:
        real = bool(self._real) and (not self._synthetic or rng.random() < self.plan.real_share)
        pool = self._real if real else self._synthetic
        return pool[int(rng.integers(len(pool)))]

    def _other_site(self, background: Background, rng: np.random.Generator) -> NDArray[np.int64]:
        """The middle of a crop that is not drawn around a nodule."""
        if background.has_false_candidates and rng.random() < self.plan.candidate_share:
            return background.false_candidate_site(rng)
        if rng.random() < self.plan.search_share:
            return background.search_site(rng)
        return background.lung_site(rng)

    def _add(self, crop: Crop, rng: np.random.Generator) -> None:
        """Puts a nodule where lung is, clear of what is there already, if it finds room."""
        mass = bool(rng.random() < self.plan.mass_share)
        edge = bool(rng.random() < self.plan.edge_share)
        room = TURNING_ROOM + BORDER_VOXELS
        self._added.add(
            crop,
            rng,
            mass=mass,
            site_for=lambda mm: crop.free_site(rng, edge=edge, room=room, diameter_mm=mm),
        )

    def _paste_lung(self, crop: Crop, background: Background, rng: np.random.Generator) -> None:
        """Pastes lung over lung with a nodule's opacity."""
        self._added.add_lung(
            crop,
            background,
            rng,
            site_for=lambda mm: crop.free_site(rng, edge=False, room=TURNING_ROOM, diameter_mm=mm),
        )
