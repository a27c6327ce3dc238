"""Training samples for the segmenter: real nodules with readers' masks, and synthetic ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from hounsfield.data.phantom import HISTOLOGIES, NoduleSpec, draw_nodule, paint_nodule
from hounsfield.models.training.augmentation.degradation import scan_view
from hounsfield.models.training.augmentation.pasting import SOLID_BACKGROUND_HU
from hounsfield.models.training.augmentation.rotation import flip_channels
from hounsfield.models.training.augmentation.sites import edge_site_in, site_in, vessel_site_in
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.models.training.segmenter.outlined_views import (
    outline_centre,
    outline_diameter_mm,
    outlined_views,
    within_outlined_slices,
)
from hounsfield.models.views.segmentation import (
    VIEW_VOXELS,
    cut_view,
    size_prior,
    view_offsets_mm,
    view_spacing_mm,
)
from hounsfield.preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.segmenter.configuration import SegmenterSamplingConfig
    from hounsfield.preprocessing.working_volume import WorkingVolume

    Cube = NDArray[np.float32]

CORE_DEPTH_IN_DIAMETERS = 0.25
"""Depth below the readers' outline, in diameters, from which every voxel is nodule."""

UNDERSIZED_PROBABILITY = 0.5
"""Probability that a detector measures a part-solid nodule smaller than it is."""

LUNG_EDGE_MM = 0.7
"""Blur of the lungs' labels, which cut off synthetic nodules at the wall."""

PLEURAL_PROBABILITY = 0.3
"""Probability that a real nodule is pasted at the pleura."""

MAX_ATTEMPTS = 20
"""Places that are tried for a synthetic nodule; the last is used even where the lung cuts it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Example:
    """A view with its target.

    Attributes:
        hu: HU before degradation.
        fraction: Fraction of each voxel that is nodule.
        known: 1 where the fraction is known, else 0.
        diameter_mm: Diameter that the network is given.
        is_exact: Whether the fraction ends at the true boundary, not at the readers' outline.
    """

    hu: Cube
    fraction: Cube
    known: Cube
    diameter_mm: float
    is_exact: bool = False


class SegmentationSamples(SeededSamples):
    """Views of nodules with the fraction of each voxel that is nodule.

    Args:
        cases: Lungs to which nodules are added.
        nodules: Real nodules with their readers' masks.
        sampling: How often each kind of nodule is shown, and how samples are varied.
        length: Number of samples.
        seed: Seed of all random choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        nodules: Sequence[NoduleCrop],
        sampling: SegmenterSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        self._cases = cases
        self._nodules = nodules

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` and, for each output of `segment_net`, ``fraction`` and ``known``.

        All are [2, 32, 32, 32].
        """
        sampling = self.sampling
        kinds = {
            self._real: sampling.real_probability,
            self._pasted: sampling.pasted_probability,
            self._synthetic_by_class: sampling.synthetic_class_probability,
            self._synthetic_by_size: sampling.synthetic_size_probability,
        }
        make_example = list(kinds)[int(rng.choice(len(kinds), p=list(kinds.values())))]
        example = make_example(rng)
        hu = normalise_hu(scan_view(example.hu, rng), sampling.hu_window)
        fraction, known = example.fraction, _known_masks(example)
        cubes = np.stack([hu, size_prior(example.diameter_mm), fraction, fraction, *known])
        flipped = torch.from_numpy(flip_channels(cubes, rng))
        return {"image": flipped[:2], "fraction": flipped[2:4], "known": flipped[4:]}

    def _real(self, rng: np.random.Generator) -> _Example:
        nodule = self._nodules[int(rng.integers(len(self._nodules)))]
        centre, diameter_mm = self._jittered(
            outline_centre(nodule), outline_diameter_mm(nodule), nodule.spacing_mm, rng
        )
        hu, fraction = outlined_views(nodule, centre, diameter_mm)
        known = within_outlined_slices(nodule, centre, diameter_mm)
        return _Example(hu, fraction, known, diameter_mm)

    def _pasted(self, rng: np.random.Generator) -> _Example:
        nodule = self._nodules[int(rng.integers(len(self._nodules)))]
        centre, diameter_mm = self._jittered(
            outline_centre(nodule), outline_diameter_mm(nodule), nodule.spacing_mm, rng
        )
        hu, fraction = outlined_views(nodule, centre, diameter_mm)
        place = "pleura" if rng.random() < PLEURAL_PROBABILITY else "isolated"
        lungs, _ = self._lungs(rng, np.zeros(3), diameter_mm, place)
        rim_mm = float(rng.uniform(0.6, 1.4))
        rim = ndimage.gaussian_filter(fraction, rim_mm / view_spacing_mm(diameter_mm))
        opacity = np.clip(np.maximum(fraction, 1.8 * rim), 0, 1)
        blended = lungs + opacity * (hu - lungs)
        solid = lungs > SOLID_BACKGROUND_HU
        blended = np.where(solid, np.maximum(blended, lungs), blended)
        # Where the wall was as bright before, the nodule is invisible and is not trained on.
        known = np.where(solid & (fraction > 0.1), 0, 1)
        return _Example(blended, fraction, known.astype(np.float32), diameter_mm)

    def _synthetic_by_class(self, rng: np.random.Generator) -> _Example:
        histology = HISTOLOGIES[int(rng.integers(len(HISTOLOGIES)))]
        return self._paint(draw_nodule(histology, rng), rng)

    def _synthetic_by_size(self, rng: np.random.Generator) -> _Example:
        diameter_mm = float(np.exp(rng.uniform(np.log(3.0), np.log(100.0))))
        probabilities = {
            "part_solid": self.sampling.part_solid_probability,
            "ground_glass": self.sampling.ground_glass_probability,
        }
        probabilities["solid"] = 1 - sum(probabilities.values())
        density = str(rng.choice(list(probabilities), p=list(probabilities.values())))
        margin = str(rng.choice(["smooth", "lobulated", "spiculated"]))
        place = str(rng.choice(["isolated", "vessel", "pleura"]))
        return self._paint(
            NoduleSpec(
                diameter_mm=diameter_mm,
                density=density,
                margin=margin,
                place=place,
                solid_fraction=float(rng.uniform(0.3, 0.75)),
                elongation=float(rng.uniform(1.0, 1.5)),
            ),
            rng,
        )

    def _paint(self, spec: NoduleSpec, rng: np.random.Generator) -> _Example:
        """Paints a synthetic nodule on the view itself, so that its mask is exact at any size."""
        slice_mm = float(rng.uniform(0.6, 2.5))
        blur_mm = (slice_mm / 2.5, 0.5, 0.5)
        for _ in range(MAX_ATTEMPTS):
            shift, diameter_mm = self._jittered(
                np.zeros(3), _detected_diameter_mm(spec, rng), 1.0, rng
            )
            spacing_mm = view_spacing_mm(diameter_mm)
            hu, lung = self._lungs(rng, shift, diameter_mm, spec.place)
            middle = (VIEW_VOXELS - 1) / 2 - shift / spacing_mm
            painted = paint_nodule(
                hu,
                (spacing_mm,) * 3,
                (float(middle[0]), float(middle[1]), float(middle[2])),
                spec,
                rng,
                lung_fraction=lung.__getitem__,
                psf_sigma_mm_zyx=blur_mm,
            )
            if painted.diameter_mm > 0.6 * spec.diameter_mm:
                break
        fraction = np.zeros_like(hu)
        fraction[painted.box] = painted.fraction
        return _Example(hu, fraction, np.ones_like(hu), diameter_mm, is_exact=True)

    def _jittered(
        self,
        centre: NDArray[np.float64],
        diameter_mm: float,
        spacing_mm: float,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], float]:
        """Centre, in voxels of a spacing, and diameter with the errors of a detector."""
        sampling = self.sampling
        shift_mm = rng.normal(0.0, min(sampling.jitter_mm, 0.2 * diameter_mm), 3)
        scale = float(np.exp(rng.normal(0.0, sampling.size_jitter)))
        return centre + shift_mm / spacing_mm, max(diameter_mm * scale, 2.0)

    def _lungs(
        self,
        rng: np.random.Generator,
        shift_mm: NDArray[np.float64],
        diameter_mm: float,
        place: str,
    ) -> tuple[Cube, Cube]:
        """HU and lung fraction of a view whose centre is shifted from a place in the lungs."""
        volume = self._cases[int(rng.integers(len(self._cases)))].volume
        site = _site(volume, place, rng)
        start = np.array(volume.hu.shape) / 2 if site is None else site
        centre = start + shift_mm / volume.spacing_mm[::-1]
        hu = cut_view(volume.hu, volume.spacing_mm, centre.tolist(), diameter_mm)
        offsets = view_offsets_mm(diameter_mm)
        nearest = (
            np.clip(np.rint(middle + offsets / step), 0, size - 1).astype(int)
            for middle, step, size in zip(
                centre, volume.spacing_mm[::-1], volume.hu.shape, strict=True
            )
        )
        lung = (volume.lung_labels[np.ix_(*nearest)] > 0).astype(np.float32)
        smooth = ndimage.gaussian_filter(lung, LUNG_EDGE_MM / view_spacing_mm(diameter_mm))
        return hu.astype(np.float32), smooth


def _detected_diameter_mm(spec: NoduleSpec, rng: np.random.Generator) -> float:
    """The diameter that a detector finds; for some part-solid nodules little more than the core."""
    if spec.density != "part_solid" or rng.random() > UNDERSIZED_PROBABILITY:
        return spec.diameter_mm
    return spec.diameter_mm * float(rng.uniform(spec.solid_fraction, 1.0))


def _known_masks(example: _Example) -> tuple[Cube, Cube]:
    """Where the reader-style and where the boundary segmentation are known.

    The true boundary of a real nodule is neither outside the readers' outline nor deep inside it;
    between the two it may be anywhere.
    """
    if example.is_exact:
        return np.zeros_like(example.known), example.known
    inside = example.fraction >= 0.5
    depth_mm = ndimage.distance_transform_edt(inside) * view_spacing_mm(example.diameter_mm)
    deep = depth_mm > CORE_DEPTH_IN_DIAMETERS * example.diameter_mm
    certain: Cube = example.known * ((example.fraction < 0.05) | deep)
    return example.known, certain.astype(np.float32)


def _site(volume: WorkingVolume, place: str, rng: np.random.Generator) -> NDArray[np.int64] | None:
    """A random voxel of lung: at its edge, on a vessel, or anywhere; None without lung."""
    if place == "pleura":
        return edge_site_in(volume.lung_labels, rng)
    if place in {"vessel", "hilar"}:
        return vessel_site_in(volume.hu, volume.lung_labels, rng)
    return site_in(volume.lung_labels, rng)
