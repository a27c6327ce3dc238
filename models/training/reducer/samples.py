"""Training samples for the reducer: nodules as a detector marks them, and what it takes for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from hounsfield.models.inference.reducer import VIEW_SPACINGS_MM, VIEW_VOXELS, candidate_views
from hounsfield.models.training.augmentation.added_nodules import AddedNodules
from hounsfield.models.training.augmentation.backgrounds import Background
from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import turned_crop
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.augmentation.backgrounds import Crop
    from hounsfield.models.training.augmentation.sites import Site
    from hounsfield.models.training.detector.targets import CropNodule

CUBE_VOXELS = int(VIEW_VOXELS * max(VIEW_SPACINGS_MM))
"""Edge of the cube at 1 mm that the wide view shows."""

TURNING_ROOM = 12
"""Voxels on every side of it that turning may bring in."""

MIN_JITTER_MM = 1.5
"""A mark lies within this of a nodule's centre, or within a quarter of its diameter if more."""

MIN_HIT_MM = 2.0
"""A mark lies on a nodule within its radius, or within this if more."""

DOUBT_MM = 4.0
"""A mark so near the rim of a nodule, outside, teaches nothing."""


@dataclass(frozen=True, slots=True)
class ReducerSamplingConfig:
    """How samples are drawn; every number stands in the configuration.

    Attributes:
        detector: The name or folder of the detector whose marks are reduced; ``{fold}`` in it
            stands for the fold that is kept for testing.
        mined_in: Folder that keeps the detector's marks on the cases.
        real_share: Part of the samples from real series where there are phantoms too.
        nodule_share: Part of the samples with a nodule in the middle.
        own_share: Part of these that are a case's own, where any has some.
        drawn_share: Part of the others that are drawn, not pasted.
        mass_share: Part of the others that are of 30 to 100 mm.
        edge_share: Part of the others at the lung's edge.
        mined_share: Part of the samples without a nodule that show the detector's false marks.
        listed_share: Part of the rest that shows false candidates of the data set, where it
            lists some.
        negative_paste_share: Part of the rest, after that, where lung is pasted over lung.
        search_share: Part of the rest, after that, from anywhere a finding is looked for; else
            any place in the lung.
        free_turn_share: Part of the samples turned by any angle and scaled.
        noise_hu: Largest standard deviation of the noise that is added.
        focal_power: Of the focal loss; 0 is plain cross-entropy.
        hu_window: HU that become 0 and 1.
    """

    detector: str
    mined_in: str
    real_share: float = 0.7
    nodule_share: float = 0.5
    own_share: float = 0.4
    drawn_share: float = 0.25
    mass_share: float = 0.1
    edge_share: float = 0.35
    mined_share: float = 0.65
    listed_share: float = 0.6
    negative_paste_share: float = 0.4
    search_share: float = 0.3
    free_turn_share: float = 0.5
    noise_hu: float = 60.0
    focal_power: float = 0.0
    hu_window: tuple[float, float] = (-1000.0, 400.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A case to draw from, with the voxels (n, 3) of the detector's false marks."""

    background: Background
    false_marks_zyx: NDArray[np.int64]
    synthetic: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Sources to choose from."""

    real: list[_Source]
    synthetic: list[_Source]

    @classmethod
    def of(cls, sources: Sequence[_Source]) -> _Pool:
        return cls(
            [one for one in sources if not one.synthetic],
            [one for one in sources if one.synthetic],
        )

    def __bool__(self) -> bool:
        return bool(self.real or self.synthetic)

    def draw(self, real_share: float, rng: np.random.Generator) -> _Source:
        real = bool(self.real) and (not self.synthetic or rng.random() < real_share)
        sources = self.real if real else self.synthetic
        return sources[int(rng.integers(len(sources)))]


class ReductionSamples(SeededSamples):
    """Both views of a mark, and whether it lies on a nodule.

    Args:
        cases: Prepared series; their findings are nodules or places to ignore.
        mined: For each case false marks of the detector (n, 3), x, y, z in LPS mm.
        crops: Real nodules to paste; without any, all that are added are drawn.
        plan: How samples are drawn.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        mined: Sequence[NDArray[np.float64]],
        crops: Sequence[NoduleCrop],
        plan: ReducerSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        sources = [
            _Source(
                Background(case),
                np.rint(case.volume.voxel_xyz(marks)[:, ::-1]).astype(np.int64),
                case.synthetic,
            )
            for case, marks in zip(cases, mined, strict=True)
        ]
        self._all = _Pool.of(sources)
        self._with_nodules = _Pool.of([one for one in sources if one.background.has_nodules])
        self._added = AddedNodules(crops, drawn_share=plan.drawn_share)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [2, 32, 32, 32]; ``nodule`` and ``weight``, 0 or 1."""
        hu, nodules = self.draw(rng)
        nodule, weight = label(nodules, _middle(CUBE_VOXELS))
        seen = degrade(hu, rng, most_noise_hu=self.plan.noise_hu)
        views = candidate_views(
            np.rint(seen).astype(np.int16), (1.0, 1.0, 1.0), _middle(CUBE_VOXELS)
        )
        return {
            "image": torch.from_numpy(normalise_hu(views, self.plan.hu_window)),
            "nodule": torch.tensor(nodule),
            "weight": torch.tensor(weight),
        }

    def draw(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[CropNodule]]:
        """A cube around a mark, in HU, before the scanner's part, and the nodules in it."""
        plan = self.plan
        crop = self._nodule(rng) if rng.random() < plan.nodule_share else self._no_nodule(rng)
        return turned_crop(
            crop.hu, crop.nodules, CUBE_VOXELS, free_share=plan.free_turn_share, rng=rng
        )

    def _nodule(self, rng: np.random.Generator) -> Crop:
        """A mark on a nodule: the case's own, or one that is added."""
        plan = self.plan
        if self._with_nodules and rng.random() < plan.own_share:
            background = self._with_nodules.draw(plan.real_share, rng).background
            nodule = background.nodule(rng)
            return _cut(background, nodule.centre_zyx + _jitter(nodule.diameter_mm, rng))
        background = self._all.draw(plan.real_share, rng).background
        mass = bool(rng.random() < plan.mass_share)
        edge = bool(rng.random() < plan.edge_share)
        crop = _cut(background, background.edge_site(rng) if edge else background.lung_site(rng))

        def site_for(diameter_mm: float) -> NDArray[np.float64] | None:
            site = _middle(len(crop.hu)) - _jitter(diameter_mm, rng)
            return site if crop.is_clear(site, diameter_mm) else None

        self._added.add(crop, rng, mass=mass, site_for=site_for)
        return crop

    def _no_nodule(self, rng: np.random.Generator) -> Crop:
        """A mark on something else."""
        plan = self.plan
        source = self._all.draw(plan.real_share, rng)
        background, marks = source.background, source.false_marks_zyx
        if len(marks) and rng.random() < plan.mined_share:
            return _cut(background, marks[int(rng.integers(len(marks)))] + rng.integers(-1, 2, 3))
        if background.has_false_candidates and rng.random() < plan.listed_share:
            return _cut(background, background.false_candidate_site(rng) + rng.integers(-1, 2, 3))
        if self._added.has_real and rng.random() < plan.negative_paste_share:
            crop = _cut(background, background.lung_site(rng))
            self._added.add_lung(
                crop, background, rng, site_for=lambda mm: _middle(len(crop.hu)) - _jitter(mm, rng)
            )
            return crop
        if rng.random() < plan.search_share:
            return _cut(background, background.search_site(rng))
        return _cut(background, background.lung_site(rng))


def label(nodules: Sequence[CropNodule], mark_zyx: NDArray[np.float64]) -> tuple[float, float]:
    """Whether a mark lies on a nodule (1) or not (0), and whether that counts (1) or not (0).

    It does not count on what is ignored, nor beside a nodule's rim, where it is neither.
    """
    counts = 1.0
    for nodule in nodules:
        off, radius = np.linalg.norm(mark_zyx - nodule.centre_zyx), nodule.diameter_mm / 2
        if not nodule.ignored and off <= max(radius, MIN_HIT_MM):
            return 1.0, 1.0
        if off <= radius + DOUBT_MM:
            counts = 0.0
    return 0.0, counts


def _cut(background: Background, mark_zyx: NDArray[np.float64] | Site) -> Crop:
    """The crop whose middle is the mark."""
    return background.cut(np.rint(mark_zyx).astype(np.int64), CUBE_VOXELS + 2 * TURNING_ROOM)


def _middle(voxels: int) -> NDArray[np.float64]:
    return np.full(3, (voxels - 1) / 2)


def _jitter(diameter_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """How far a detector's mark may lie from a nodule's centre, in mm along z, y, x."""
    way = rng.normal(size=3)
    reach = max(MIN_JITTER_MM, diameter_mm / 4)
    distance = min(abs(rng.normal(0.0, reach / 2)), reach)
    jitter: NDArray[np.float64] = way / np.linalg.norm(way) * distance
    return jitter
