"""Training samples for the reducer: candidates on nodules, and false positives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from hounsfield.models.inference.reducer import VIEW_SPACINGS_MM, VIEW_VOXELS, candidate_views
from hounsfield.models.training.augmentation.added_nodules import AddedNodules
from hounsfield.models.training.augmentation.backgrounds import Background
from hounsfield.models.training.augmentation.degradation import degrade
from hounsfield.models.training.augmentation.rotation import rotated_crop
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.augmentation.crop import Crop, CropNodule
    from hounsfield.models.training.augmentation.sites import Site
    from hounsfield.models.training.reducer.configuration import ReducerSamplingConfig

CUBE_VOXELS = int(VIEW_VOXELS * max(VIEW_SPACINGS_MM))
"""Edge of the cube at 1 mm that the wide view covers."""

ROTATION_MARGIN = 12
"""Voxels on every side of it that a rotation may bring in."""

MIN_JITTER_MM = 1.5
"""Largest distance of a candidate from the nodule's centre; a quarter of its diameter if more."""

MIN_HIT_MM = 2.0
"""Largest distance of a hit from the nodule's centre; its radius if more."""

RIM_MM = 4.0
"""Candidates outside a nodule, but this near to its surface, do not count."""


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """A case to sample from, with the voxels ``[n, 3]`` of the detector's false positives."""

    background: Background
    false_positives_zyx: NDArray[np.int64]
    synthetic: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Sources to choose from."""

    real: list[_Source]
    synthetic: list[_Source]

    @classmethod
    def of(cls, sources: Sequence[_Source]) -> _Pool:
        return cls(
            [source for source in sources if not source.synthetic],
            [source for source in sources if source.synthetic],
        )

    def __bool__(self) -> bool:
        return bool(self.real or self.synthetic)

    def sample(self, real_probability: float, rng: np.random.Generator) -> _Source:
        real = bool(self.real) and (not self.synthetic or rng.random() < real_probability)
        sources = self.real if real else self.synthetic
        return sources[int(rng.integers(len(sources)))]


class ReductionSamples(SeededSamples):
    """Both views of a candidate, and whether it lies on a nodule.

    Args:
        cases: Prepared series; their findings are nodules or places to ignore.
        mined: False positives of the detector in each case, ``[n, 3]``, x, y, z in LPS mm.
        crops: Real nodules to paste; without any, all added nodules are synthetic.
        sampling: Probabilities and sizes from the `sampling` section of the configuration.
        length: Number of samples.
        seed: Seed of all random choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        mined: Sequence[NDArray[np.float64]],
        crops: Sequence[NoduleCrop],
        sampling: ReducerSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        sources = [
            _Source(
                Background(case),
                np.rint(case.volume.voxel_xyz(centres)[:, ::-1]).astype(np.int64),
                case.synthetic,
            )
            for case, centres in zip(cases, mined, strict=True)
        ]
        self._all = _Pool.of(sources)
        self._with_nodules = _Pool.of(
            [source for source in sources if source.background.has_nodules]
        )
        self._added = AddedNodules(crops, synthetic_probability=sampling.synthetic_probability)

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` [2, 32, 32, 32], from 0 to 1; ``nodule`` and ``weight``, 0 or 1."""
        hu, nodules = self.cube(rng)
        nodule, weight = label(nodules, _middle(CUBE_VOXELS))
        degraded = degrade(hu, rng, max_noise_hu=self.sampling.noise_hu)
        views = candidate_views(
            np.rint(degraded).astype(np.int16), (1.0, 1.0, 1.0), _middle(CUBE_VOXELS)
        )
        return {
            "image": torch.from_numpy(normalise_hu(views, self.sampling.hu_window)),
            "nodule": torch.tensor(nodule),
            "weight": torch.tensor(weight),
        }

    def cube(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[CropNodule]]:
        """Samples a cube around a candidate, in HU, before degradation, and the nodules in it."""
        sampling = self.sampling
        on_nodule = rng.random() < sampling.nodule_probability
        crop = self._nodule(rng) if on_nodule else self._no_nodule(rng)
        return rotated_crop(
            crop.hu,
            crop.nodules,
            CUBE_VOXELS,
            free_rotation_probability=sampling.free_rotation_probability,
            rng=rng,
        )

    def _nodule(self, rng: np.random.Generator) -> Crop:
        """A candidate on a nodule: the case's own, or an added one."""
        sampling = self.sampling
        if self._with_nodules and rng.random() < sampling.own_probability:
            background = self._with_nodules.sample(sampling.real_probability, rng).background
            nodule = background.nodule(rng)
            return _cut(background, nodule.centre_zyx + _jitter(nodule.diameter_mm, rng))
        background = self._all.sample(sampling.real_probability, rng).background
        mass = bool(rng.random() < sampling.mass_probability)
        edge = bool(rng.random() < sampling.edge_probability)
        crop = _cut(background, background.edge_site(rng) if edge else background.lung_site(rng))

        def site_for(diameter_mm: float) -> NDArray[np.float64] | None:
            site = _middle(len(crop.hu)) - _jitter(diameter_mm, rng)
            return site if crop.is_clear(site, diameter_mm) else None

        self._added.add(crop, rng, mass=mass, site_for=site_for)
        return crop

    def _no_nodule(self, rng: np.random.Generator) -> Crop:
        """A candidate on no nodule."""
        sampling = self.sampling
        source = self._all.sample(sampling.real_probability, rng)
        background, centres = source.background, source.false_positives_zyx
        if len(centres) and rng.random() < sampling.mined_probability:
            return _cut(
                background, centres[int(rng.integers(len(centres)))] + rng.integers(-1, 2, 3)
            )
        if background.has_false_candidates and rng.random() < sampling.listed_probability:
            return _cut(background, background.false_candidate_site(rng) + rng.integers(-1, 2, 3))
        if self._added.has_real and rng.random() < sampling.negative_paste_probability:
            crop = _cut(background, background.lung_site(rng))
            self._added.add_lung(
                crop, background, rng, site_for=lambda mm: _middle(len(crop.hu)) - _jitter(mm, rng)
            )
            return crop
        if rng.random() < sampling.search_probability:
            return _cut(background, background.search_site(rng))
        return _cut(background, background.lung_site(rng))


def label(nodules: Sequence[CropNodule], candidate_zyx: NDArray[np.float64]) -> tuple[float, float]:
    """Labels a candidate.

    Args:
        nodules: Nodules and spheres to ignore, in voxels of the cube.
        candidate_zyx: Candidate in voxels of the cube, ``[3]``.

    Returns:
        Whether the candidate lies on a nodule (1) or not (0), and whether that counts (1) or not
        (0): it does not in a sphere to ignore, nor just outside a nodule.
    """
    counts = 1.0
    for nodule in nodules:
        distance = np.linalg.norm(candidate_zyx - nodule.centre_zyx)
        radius = nodule.diameter_mm / 2
        if not nodule.ignored and distance <= max(radius, MIN_HIT_MM):
            return 1.0, 1.0
        if distance <= radius + RIM_MM:
            counts = 0.0
    return 0.0, counts


def _cut(background: Background, candidate_zyx: NDArray[np.float64] | Site) -> Crop:
    """The crop whose middle is the candidate."""
    return background.cut(
        np.rint(candidate_zyx).astype(np.int64), CUBE_VOXELS + 2 * ROTATION_MARGIN
    )


def _middle(voxels: int) -> NDArray[np.float64]:
    return np.full(3, (voxels - 1) / 2)


def _jitter(diameter_mm: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A random offset of a candidate from the nodule's centre, in mm along z, y, x."""
    direction = rng.normal(size=3)
    reach = max(MIN_JITTER_MM, diameter_mm / 4)
    distance = min(abs(rng.normal(0.0, reach / 2)), reach)
    jitter: NDArray[np.float64] = direction / np.linalg.norm(direction) * distance
    return jitter
