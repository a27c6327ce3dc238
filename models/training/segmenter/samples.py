"""Training samples for the segmenter: real nodules with readers' masks, and digital ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from hounsfield.data.phantom import HISTOLOGIES, NoduleSpec, draw_nodule, paint_nodule
from hounsfield.models.training.augmentation.degradation import scan_view
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
    from hounsfield.preprocessing.working_volume import WorkingVolume

    Cube = NDArray[np.float32]

SOLID_BACKGROUND_HU = -400.0
"""Background brighter than this (wall, vessel) shows through a pasted nodule."""

CORE_IN_DIAMETERS = 0.25
"""So deep under the outline that readers drew, in diameters, all is nodule."""

SEEN_SMALLER = 0.5
"""Part of the part-solid nodules that a detector tells smaller than they are."""

LUNG_EDGE_MM = 0.7
"""Blur of the lungs' labels, which cut off what is painted at the wall."""

TRIES = 20


@dataclass(frozen=True, slots=True)
class SegmenterSamplingConfig:
    """Parts of the samples, which sum to one, and how they are varied.

    Attributes:
        real: Real nodules where they lay; what is beyond their slices is not learnt from.
        pasted: Real nodules put into other lungs, so that they end along z.
        painted: Digital nodules of every class, with exact masks.
        plain: Digital nodules of any size from 3 to 100 mm, evenly in its logarithm.
        part_solid: Part of the plain ones that have a core in ground glass.
        ground_glass: Part of the plain ones that are all ground glass.
        jitter_mm: How far the given centre is off along each axis (standard deviation), at most
            a fifth of the diameter.
        size_jitter: How far the given diameter is off, in its logarithm (standard deviation).
        hu_window: HU that become 0 and 1.
    """

    real: float = 0.4
    pasted: float = 0.2
    painted: float = 0.2
    plain: float = 0.2
    part_solid: float = 0.15
    ground_glass: float = 0.15
    jitter_mm: float = 1.2
    size_jitter: float = 0.15
    hu_window: tuple[float, float] = (-1000.0, 400.0)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """A view with its answer.

    Attributes:
        hu: Before noise.
        share: How much of each voxel is nodule.
        known: 1 where the share is known, else 0.
        diameter_mm: That is told.
        exact: Whether the share ends at the true edge, not where readers drew it.
    """

    hu: Cube
    share: Cube
    known: Cube
    diameter_mm: float
    exact: bool = False


class SegmentationSamples(SeededSamples):
    """Views of nodules with the share of each voxel that is nodule.

    Args:
        cases: Lungs to put nodules into.
        nodules: Real ones.
        plan: How samples are drawn.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        nodules: Sequence[NoduleCrop],
        plan: SegmenterSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        self._cases = cases
        self._nodules = nodules

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` and, for each edge of `segment_net`, ``share`` and ``known``.

        All are [2, 32, 32, 32].
        """
        plan = self.plan
        draws = {
            self._real: plan.real,
            self._pasted: plan.pasted,
            self._painted: plan.painted,
            self._plain: plan.plain,
        }
        drawn = list(draws)[int(rng.choice(len(draws), p=list(draws.values())))](rng)
        hu = normalise_hu(scan_view(drawn.hu, rng), plan.hu_window)
        share, known = drawn.share, _known_edges(drawn)
        cubes = np.stack([hu, size_prior(drawn.diameter_mm), share, share, *known])
        turned = torch.from_numpy(flip_channels(cubes, rng))
        return {"image": turned[:2], "share": turned[2:4], "known": turned[4:]}

    def _real(self, rng: np.random.Generator) -> _Drawn:
        nodule = self._nodules[int(rng.integers(len(self._nodules)))]
        centre, diameter_mm = self._told(
            outline_centre(nodule), outline_diameter_mm(nodule), nodule, rng
        )
        hu, share = outlined_views(nodule, centre, diameter_mm)
        return _Drawn(hu, share, within_outlined_slices(nodule, centre, diameter_mm), diameter_mm)

    def _pasted(self, rng: np.random.Generator) -> _Drawn:
        nodule = self._nodules[int(rng.integers(len(self._nodules)))]
        centre, diameter_mm = self._told(
            outline_centre(nodule), outline_diameter_mm(nodule), nodule, rng
        )
        hu, share = outlined_views(nodule, centre, diameter_mm)
        place = "pleura" if rng.random() < 0.3 else "isolated"
        lungs, _ = self._lungs(rng, np.zeros(3), diameter_mm, place)
        rim_mm = float(rng.uniform(0.6, 1.4))
        rim = ndimage.gaussian_filter(share, rim_mm / view_spacing_mm(diameter_mm))
        opacity = np.clip(np.maximum(share, 1.8 * rim), 0, 1)
        blended = lungs + opacity * (hu - lungs)
        solid = lungs > SOLID_BACKGROUND_HU
        blended = np.where(solid, np.maximum(blended, lungs), blended)
        # Where the wall was as bright before, no nodule can be seen, and none is asked for.
        known = np.where(solid & (share > 0.1), 0, 1)
        return _Drawn(blended, share, known.astype(np.float32), diameter_mm)

    def _painted(self, rng: np.random.Generator) -> _Drawn:
        return self._paint(draw_nodule(HISTOLOGIES[int(rng.integers(len(HISTOLOGIES)))], rng), rng)

    def _plain(self, rng: np.random.Generator) -> _Drawn:
        diameter_mm = float(np.exp(rng.uniform(np.log(3.0), np.log(100.0))))
        shares = {"part_solid": self.plan.part_solid, "ground_glass": self.plan.ground_glass}
        shares["solid"] = 1 - sum(shares.values())
        density = str(rng.choice(list(shares), p=list(shares.values())))
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

    def _paint(self, spec: NoduleSpec, rng: np.random.Generator) -> _Drawn:
        """Draws a nodule on the view itself, so that its mask is exact whatever its size."""
        thick_mm = float(rng.uniform(0.6, 2.5))
        blur_mm = (thick_mm / 2.5, 0.5, 0.5)
        for _ in range(TRIES):
            shift, diameter_mm = self._told(np.zeros(3), _seen_mm(spec, rng), None, rng)
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
        share = np.zeros_like(hu)
        share[painted.box] = painted.fraction
        return _Drawn(hu, share, np.ones_like(hu), diameter_mm, exact=True)

    def _told(
        self,
        centre: NDArray[np.float64],
        diameter_mm: float,
        nodule: NoduleCrop | None,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.float64], float]:
        """Centre (in mm, or in voxels of the nodule) and diameter as a detector would tell them."""
        plan = self.plan
        off_mm = rng.normal(0.0, min(plan.jitter_mm, 0.2 * diameter_mm), 3)
        told_mm = max(diameter_mm * float(np.exp(rng.normal(0.0, plan.size_jitter))), 2.0)
        return centre + off_mm / (nodule.spacing_mm if nodule else 1.0), told_mm

    def _lungs(
        self,
        rng: np.random.Generator,
        shift_mm: NDArray[np.float64],
        diameter_mm: float,
        place: str,
    ) -> tuple[Cube, Cube]:
        """HU and share of lung of a view whose centre is `shift_mm` off a place in lungs."""
        volume = self._cases[int(rng.integers(len(self._cases)))].volume
        site = _site(volume, place, rng)
        start = np.array(volume.hu.shape) / 2 if site is None else site
        centre = start + shift_mm / volume.spacing_mm[::-1]
        hu = cut_view(volume.hu, volume.spacing_mm, centre.tolist(), diameter_mm)
        offsets = view_offsets_mm(diameter_mm)
        nearest = (
            np.clip(np.rint(at + offsets / step), 0, size - 1).astype(int)
            for at, step, size in zip(centre, volume.spacing_mm[::-1], volume.hu.shape, strict=True)
        )
        lung = (volume.lung_labels[np.ix_(*nearest)] > 0).astype(np.float32)
        smooth = ndimage.gaussian_filter(lung, LUNG_EDGE_MM / view_spacing_mm(diameter_mm))
        return hu.astype(np.float32), smooth


def _seen_mm(spec: NoduleSpec, rng: np.random.Generator) -> float:
    """How large a detector takes it for: some part-solid nodules for little more than a core."""
    if spec.density != "part_solid" or rng.random() > SEEN_SMALLER:
        return spec.diameter_mm
    return spec.diameter_mm * float(rng.uniform(spec.solid_fraction, 1.0))


def _known_edges(drawn: _Drawn) -> tuple[Cube, Cube]:
    """Where the drawn and where the exact edge's share are known.

    Of a real nodule it is known that the true edge is not outside what readers outlined, and not
    deep inside of it; between the two it may be anywhere.
    """
    if drawn.exact:
        return np.zeros_like(drawn.known), drawn.known
    inside = drawn.share >= 0.5
    depth_mm = ndimage.distance_transform_edt(inside) * view_spacing_mm(drawn.diameter_mm)
    deep = depth_mm > CORE_IN_DIAMETERS * drawn.diameter_mm
    sure: Cube = drawn.known * ((drawn.share < 0.05) | deep)
    return drawn.known, sure.astype(np.float32)


def _site(volume: WorkingVolume, place: str, rng: np.random.Generator) -> NDArray[np.int64] | None:
    """A voxel of lung: at its edge, on a vessel, or anywhere; None where there is no lung."""
    if place == "pleura":
        return edge_site_in(volume.lung_labels, rng)
    if place in {"vessel", "hilar"}:
        return vessel_site_in(volume.hu, volume.lung_labels, rng)
    return site_in(volume.lung_labels, rng)
