"""Adds nodules to crops: real ones pasted, synthetic ones painted, and lung pasted over lung."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from hounsfield.data.phantom import HISTOLOGIES, draw_nodule, paint_nodule
from hounsfield.models.training.augmentation.crop import CropNodule
from hounsfield.models.training.augmentation.pasting import (
    MIN_CONTRAST_HU,
    lung_stamp,
    nodule_stamp,
    paste,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.augmentation.backgrounds import Background
    from hounsfield.models.training.augmentation.crop import Crop

    SiteFor = Callable[[float], NDArray[np.float64] | None]
    """Maps a diameter in mm to a site in voxels (z, y, x); None where there is no room."""

MIN_LARGE_MM, MASS_MM = 12.0, (30.0, 100.0)
"""Real nodules of the first size and more are enlarged to masses within the second."""

_HISTOLOGY_PROBABILITIES = (0.3, 0.1, 0.1, 0.5)
"""Probabilities of the `HISTOLOGIES` of synthetic nodules, in their order: most are benign."""


class AddedNodules:
    """Adds nodules to crops.

    Args:
        crops: Real nodules to paste; without any, all added nodules are synthetic.
        synthetic_probability: Probability that an added nodule is synthetic all the same.
    """

    def __init__(self, crops: Sequence[NoduleCrop], *, synthetic_probability: float) -> None:
        self._synthetic_probability = synthetic_probability
        self._crops = list(crops)
        self._large = [crop for crop in crops if crop.finding.diameter_mm >= MIN_LARGE_MM]
        weights = np.array([_weight(crop) for crop in crops])
        self._crop_probabilities = weights / weights.sum()

    @property
    def has_real(self) -> bool:
        """Whether there are real nodules to paste."""
        return bool(self._crops)

    def add(self, crop: Crop, rng: np.random.Generator, *, mass: bool, site_for: SiteFor) -> None:
        """Adds a nodule to a crop, if it finds a site and is visible there.

        Args:
            crop: Changed in place: its HU and its list of nodules.
            rng: Source of all random choices.
            mass: Whether it is a mass of 30 to 100 mm.
            site_for: Chooses the site for a nodule's diameter in mm.
        """
        pool = self._large if mass else self._crops
        if not pool or rng.random() < self._synthetic_probability:
            _add_synthetic(crop, rng, mass=mass, site_for=site_for)
            return
        if mass:
            nodule = pool[int(rng.integers(len(pool)))]
            low, high = (mm / nodule.finding.diameter_mm for mm in MASS_MM)
            stamp = nodule_stamp(nodule, rng, scale_range=(max(low, 1.0), max(min(high, 3.5), 1.0)))
        else:
            stamp = nodule_stamp(pool[int(rng.choice(len(pool), p=self._crop_probabilities))], rng)
        site = site_for(stamp.diameter_mm)
        if site is not None and paste(crop.hu, stamp, site):
            crop.nodules.append(CropNodule.at(np.rint(site), stamp.diameter_mm))

    def add_lung(
        self, crop: Crop, donor: Background, rng: np.random.Generator, *, site_for: SiteFor
    ) -> None:
        """Pastes lung over lung with a nodule's opacity, so that traces of pasting are no clue.

        Args:
            crop: Changed in place, unless there is no site.
            donor: Case from which the lung is cut.
            rng: Source of all random choices.
            site_for: Chooses the site for a diameter in mm.
        """
        stamp = nodule_stamp(self._crops[int(rng.integers(len(self._crops)))], rng)
        site = site_for(stamp.diameter_mm)
        if site is None:
            return
        lung = donor.cut(donor.lung_site(rng), max(stamp.hu.shape))
        if not lung.nodules:
            paste(crop.hu, lung_stamp(lung.hu, stamp), site)


def _add_synthetic(crop: Crop, rng: np.random.Generator, *, mass: bool, site_for: SiteFor) -> None:
    """Paints a synthetic nodule of any class; half of them end where the lung does."""
    spec = draw_nodule(str(rng.choice(HISTOLOGIES, p=_HISTOLOGY_PROBABILITIES)), rng)
    if mass:
        low, high = np.log(MASS_MM)
        spec = replace(spec, diameter_mm=float(np.exp(rng.uniform(low, high))))
    site = site_for(spec.diameter_mm)
    if site is None:
        return
    inside = ndimage.gaussian_filter(crop.lung.astype(np.float32), 0.7)
    blur = (float(rng.uniform(0.4, 0.9)),) * 3
    before = crop.hu.copy()
    painted = paint_nodule(
        crop.hu,
        (1.0, 1.0, 1.0),
        (float(site[0]), float(site[1]), float(site[2])),
        spec,
        rng,
        lung_fraction=inside.__getitem__ if rng.random() < 0.5 else None,
        psf_sigma_mm_zyx=blur,
    )
    core = painted.fraction > 0.5
    if core.any() and np.mean((crop.hu - before)[painted.box][core]) < MIN_CONTRAST_HU:
        crop.hu = before  # the nodule lies in tissue as dense as itself
    elif painted.diameter_mm >= min(3.0, spec.diameter_mm):
        crop.nodules.append(CropNodule(painted.centre_voxel_zyx, painted.diameter_mm))


def _weight(crop: NoduleCrop) -> float:
    """Sampling weight: sub-solid nodules twice, those over 12 mm 1.6 times as often."""
    texture = crop.finding.texture
    return (2.0 if texture is not None and texture <= 3 else 1.0) * (
        1.6 if crop.finding.diameter_mm > MIN_LARGE_MM else 1.0
    )
