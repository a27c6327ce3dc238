"""Training crops for the detector: real and digital lungs, with real nodules pasted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage
from torch.utils.data import Dataset

from data.phantom import HISTOLOGIES, draw_nodule, paint_nodule
from models.training.degradation import degrade
from models.training.detection_targets import CropNodule, detection_target
from models.training.pasting import lung_stamp, nodule_stamp, paste
from models.training.sites import cut_cube, sites_of
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data.nodule_crops import NoduleCrop
    from data.prepared import PreparedCase


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """How crops are drawn; every number stands in the configuration.

    Attributes:
        crop_voxels: Edge of the cubic crop, at the working spacing.
        real_share: Part of the crops from real series; the rest come from phantoms.
        centred_share: Part of the phantom crops that hold a chosen nodule of the phantom.
        edge_share: Part of pasted nodules whose site lies at the lung's edge.
        simulated_share: Part of the nodules in real lungs that are drawn, not real.
        search_share: Part of the crops that may lie anywhere a finding is looked for.
        negative_paste_share: Part of the crops where lung is pasted over lung too.
        hu_window: HU that become 0 and 1.
    """

    crop_voxels: int = 64
    real_share: float = 0.7
    centred_share: float = 0.7
    edge_share: float = 0.35
    simulated_share: float = 0.25
    search_share: float = 0.15
    negative_paste_share: float = 0.3
    hu_window: tuple[float, float] = (-1000.0, 400.0)


class DetectionSamples(Dataset[dict[str, torch.Tensor]]):
    """Sample `index` depends on the seed and the index alone, so training can be resumed exactly.

    Args:
        cases: Prepared series; findings in real ones are known nodules or places to ignore.
        crops: Real nodules to paste.
        plan: How crops are drawn.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        crops: Sequence[NoduleCrop],
        plan: SamplingPlan,
        *,
        length: int,
        seed: int,
    ) -> None:
        self.plan = plan
        self.length = length
        self.seed = seed
        self._real = [_Background.of(case) for case in cases if not case.synthetic]
        self._synthetic = [_Background.of(case) for case in cases if case.synthetic]
        self._crops = crops
        appeal = np.array([_appeal(crop) for crop in crops])
        self._crop_odds = appeal / appeal.sum()

    def __len__(self) -> int:
        """Number of samples."""
        return self.length

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        """Gives ``image`` [1, s, s, s] and the maps of `DetectionTarget`."""
        rng = np.random.default_rng((self.seed, index))
        real = bool(self._real) and (not self._synthetic or rng.random() < self.plan.real_share)
        pool = self._real if real else self._synthetic
        background = pool[int(rng.integers(len(pool)))]
        centred = not real and background.nodules and rng.random() < self.plan.centred_share
        anywhere = bool(rng.random() < self.plan.search_share)
        centre = (
            self._near_nodule(background, rng)
            if centred
            else background.site(rng, background.search_zyx if anywhere else background.lung_zyx)
        )
        hu, nodules = background.cut(centre, self.plan.crop_voxels)
        if real or not centred:
            nodules = [*nodules, *self._add_nodules(background, hu, centre, nodules, rng)]
        if rng.random() < self.plan.negative_paste_share:
            self._paste_lung(background, hu, centre, nodules, rng)
        hu, nodules = _turn(hu, nodules, rng)
        target = detection_target(nodules, self.plan.crop_voxels)
        image = normalise_hu(degrade(hu, rng), self.plan.hu_window)
        return {
            "image": torch.from_numpy(image[None]),
            "heat": torch.from_numpy(target.heat),
            "regression": torch.from_numpy(target.regression),
            "weight": torch.from_numpy(target.weight),
        }

    def _near_nodule(self, background: _Background, rng: np.random.Generator) -> NDArray[np.int64]:
        nodule = background.nodules[int(rng.integers(len(background.nodules)))]
        shift = rng.integers(-self.plan.crop_voxels // 4, self.plan.crop_voxels // 4 + 1, size=3)
        return np.rint(nodule.centre_zyx).astype(np.int64) + shift

    def _add_nodules(
        self,
        background: _Background,
        hu: NDArray[np.float32],
        centre: NDArray[np.int64],
        present: Sequence[CropNodule],
        rng: np.random.Generator,
    ) -> list[CropNodule]:
        """Puts 0 to 2 nodules where lung is, clear of what is there already."""
        added: list[CropNodule] = []
        for _ in range(int(rng.choice((0, 1, 2), p=(0.3, 0.5, 0.2)))):
            edge = rng.random() < self.plan.edge_share
            sites = background.edge_zyx if edge else background.lung_zyx
            site = background.site_in_crop(rng, centre, self.plan.crop_voxels, sites)
            if site is None:
                continue
            add = _draw if rng.random() < self.plan.simulated_share else self._paste
            nodule = add(hu, site, [*present, *added], rng)
            if nodule is not None:
                added.append(nodule)
        return added

    def _paste(
        self,
        hu: NDArray[np.float32],
        site: NDArray[np.float64],
        present: Sequence[CropNodule],
        rng: np.random.Generator,
    ) -> CropNodule | None:
        """Pastes a real nodule; None where it would touch another or vanish."""
        crop = self._crops[int(rng.choice(len(self._crops), p=self._crop_odds))]
        stamp = nodule_stamp(crop, rng)
        if _clear(site, stamp.diameter_mm, present) and paste(hu, stamp, site):
            return CropNodule.at(np.rint(site), stamp.diameter_mm)
        return None

    def _paste_lung(
        self,
        background: _Background,
        hu: NDArray[np.float32],
        centre: NDArray[np.int64],
        present: Sequence[CropNodule],
        rng: np.random.Generator,
    ) -> None:
        """Pastes lung over lung with a nodule's opacity."""
        crop = self._crops[int(rng.integers(len(self._crops)))]
        stamp = nodule_stamp(crop, rng)
        site = background.site_in_crop(rng, centre, self.plan.crop_voxels, background.lung_zyx)
        if site is None or not _clear(site, stamp.diameter_mm, present):
            return
        other = background.site(rng, background.lung_zyx)
        donor, in_donor = background.cut(other, max(stamp.hu.shape))
        if not in_donor:
            paste(hu, lung_stamp(donor.astype(np.int16), stamp), site)


@dataclass(frozen=True, slots=True, eq=False)
class _Background:
    """A prepared case with its sites listed."""

    hu: NDArray[np.int16]
    nodules: list[CropNodule]
    known: list[CropNodule]
    lung_zyx: NDArray[np.int16]
    edge_zyx: NDArray[np.int16]
    search_zyx: NDArray[np.int16]

    @classmethod
    def of(cls, case: PreparedCase) -> _Background:
        volume = case.volume
        lung = volume.lung_labels > 0
        edge = ndimage.binary_dilation(lung, iterations=2)
        edge &= ~ndimage.binary_erosion(lung, iterations=3)
        known = [
            CropNodule.at(
                volume.voxel_xyz(finding.centre_world_mm)[::-1],
                finding.diameter_mm / volume.spacing_mm,
                ignored=finding.ignored,
            )
            for finding in case.findings
        ]
        nodules = [nodule for nodule in known if not nodule.ignored]
        sites = [sites_of(mask) for mask in (lung, edge, volume.search_mask)]
        return cls(volume.hu, nodules, known, *sites)

    def site(self, rng: np.random.Generator, sites: NDArray[np.int16]) -> NDArray[np.int64]:
        """One of the given voxels."""
        site: NDArray[np.int64] = sites[int(rng.integers(len(sites)))].astype(np.int64)
        return site

    def site_in_crop(
        self,
        rng: np.random.Generator,
        centre: NDArray[np.int64],
        size: int,
        sites: NDArray[np.int16],
    ) -> NDArray[np.float64] | None:
        """A site inside the crop around `centre`, in voxels of the crop; None if none is met."""
        for _ in range(400):
            site = self.site(rng, sites) - centre + size // 2
            if np.all(site >= 4) and np.all(site < size - 4):
                return site.astype(np.float64)
        return None

    def cut(
        self, centre: NDArray[np.int64], size: int
    ) -> tuple[NDArray[np.float32], list[CropNodule]]:
        """A cube of HU around a voxel, air beyond the volume, and what is known to lie in it."""
        start = centre - size // 2
        hu = cut_cube(self.hu, start, size)
        moved = [
            CropNodule.at(
                np.subtract(nodule.centre_zyx, start), nodule.diameter_mm, ignored=nodule.ignored
            )
            for nodule in self.known
        ]
        return hu, [nodule for nodule in moved if _reaches(nodule, size)]


def _draw(
    hu: NDArray[np.float32],
    site: NDArray[np.float64],
    present: Sequence[CropNodule],
    rng: np.random.Generator,
) -> CropNodule | None:
    """Draws a digital nodule of any class; None where it would touch another."""
    spec = draw_nodule(str(rng.choice(HISTOLOGIES)), rng)
    if not _clear(site, spec.diameter_mm, present):
        return None
    place = (float(site[0]), float(site[1]), float(site[2]))
    painted = paint_nodule(hu, (1.0, 1.0, 1.0), place, spec, rng, psf_sigma_mm_zyx=(0.6, 0.6, 0.6))
    return CropNodule(place, painted.diameter_mm)


def _reaches(nodule: CropNodule, size: int) -> bool:
    """Whether any part of a nodule may lie in a cube."""
    radius = nodule.diameter_mm / 2
    return all(-radius < c < size + radius for c in nodule.centre_zyx)


def _clear(
    site_zyx: NDArray[np.float64], diameter_mm: float, nodules: Sequence[CropNodule]
) -> bool:
    """Whether a nodule at the site would stay off all others."""
    return all(
        np.linalg.norm(site_zyx - nodule.centre_zyx) > (diameter_mm + nodule.diameter_mm) / 2 + 2
        for nodule in nodules
    )


def _appeal(crop: NoduleCrop) -> float:
    """Odds of a crop: sub-solid ones twice, those over 12 mm 1.6 times as often."""
    return (2.0 if crop.record.texture <= 3 else 1.0) * (
        1.6 if crop.record.diameter_mm > 12 else 1.0
    )


def _turn(
    hu: NDArray[np.float32], nodules: list[CropNodule], rng: np.random.Generator
) -> tuple[NDArray[np.float32], list[CropNodule]]:
    """Flips along each axis, and quarter turns in the plane, at random."""
    size = hu.shape[0]
    centres = np.array([nodule.centre_zyx for nodule in nodules]).reshape(-1, 3)
    for axis in range(3):
        if rng.random() < 0.5:
            hu = np.flip(hu, axis)
            centres[:, axis] = size - 1 - centres[:, axis]
    if rng.random() < 0.5:
        hu = hu.swapaxes(1, 2)
        centres[:, [1, 2]] = centres[:, [2, 1]]
    turned = [
        CropNodule.at(centre, nodule.diameter_mm, ignored=nodule.ignored)
        for centre, nodule in zip(centres, nodules, strict=True)
    ]
    return np.ascontiguousarray(hu), turned
