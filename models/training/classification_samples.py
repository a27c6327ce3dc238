"""Training samples for the classifier: nodules of known, of partly known and of no class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from data.phantom import draw_nodule, paint_nodule
from models.contracts import NoduleClass
from models.nodule_views import VIEW_SPACINGS_MM, VIEW_VOXELS, nodule_views
from models.training.degradation import degrade
from models.training.pasting import nodule_stamp, paste
from models.training.seeded_samples import SeededSamples
from models.training.sites import cut_cube, edge_site_in, site_in
from preprocessing.working_grid import normalise_hu

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from data.nodule_crops import NoduleCrop
    from data.phantom import NoduleSpec
    from data.prepared import PreparedCase
    from models.training.sites import Site

CARCINOMAS = tuple(c for c in NoduleClass if c is not NoduleClass.NORMAL)
SUSPICIOUS_FROM, BENIGN_TO = 4, 2
"""Readers' malignancy: 4 and 5 count as cancer of unknown type, 1 and 2 as normal, 3 not at all."""

CUBE_VOXELS = 168
"""Edge of the cube that both views are cut from, at 1 mm."""

CENTRAL_TRIES = 60


@dataclass(frozen=True, slots=True)
class ClassSamplingPlan:
    """Parts of the samples, which sum to one, and how they are varied.

    Attributes:
        drawn_carcinoma: Digital nodules of the three carcinomas, in equal parts.
        drawn_benign: Digital nodules and scars that are normal.
        real_suspicious: Real nodules that readers rated 4 or 5.
        real_benign: Real nodules that readers rated 1 or 2.
        nothing: Places without a nodule: lung, and vessels.
        jitter_mm: How far the centre may be off along each axis.
        hu_window: HU that become 0 and 1.
    """

    drawn_carcinoma: float = 0.45
    drawn_benign: float = 0.12
    real_suspicious: float = 0.15
    real_benign: float = 0.16
    nothing: float = 0.12
    jitter_mm: float = 3.0
    hu_window: tuple[float, float] = (-1000.0, 400.0)


class ClassificationSamples(SeededSamples):
    """Nodules of all classes and places without one, each with the classes it may have.

    Every kind of sample is put into the same lungs, so that no scanner stands for a class.

    Args:
        cases: Lungs to put nodules into.
        crops: Real nodules.
        plan: How samples are drawn.
        length: How many samples there are.
        seed: Of all choices.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        crops: Sequence[NoduleCrop],
        plan: ClassSamplingPlan,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        self._lungs = [_Lungs(case) for case in cases]
        self._suspicious = [crop for crop in crops if is_suspicious(crop)]
        self._benign = [crop for crop in crops if is_benign(crop)]

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [2, 40, 40, 40], ``allowed`` [4], ``weight`` and ``diameter_mm``."""
        plan = self.plan
        kinds = {
            self._drawn_carcinoma: plan.drawn_carcinoma,
            self._drawn_benign: plan.drawn_benign,
            self._real_suspicious: plan.real_suspicious,
            self._real_benign: plan.real_benign,
            self._nothing: plan.nothing,
        }
        draw = list(kinds)[int(rng.choice(len(kinds), p=list(kinds.values())))]
        hu, centre, classes, diameter_mm = draw(rng)
        centre = centre + rng.uniform(-plan.jitter_mm, plan.jitter_mm, size=3)
        views = nodule_views(np.rint(hu).astype(np.int16), (1.0, 1.0, 1.0), centre.tolist())
        near, wide = views.astype(np.float32)
        image = np.stack([degrade(near, rng), wide + np.float32(rng.normal(0.0, 12.0))])
        image = _turn(normalise_hu(image, plan.hu_window), rng)
        allowed = np.array([float(c in classes) for c in NoduleClass], np.float32)
        return {
            "image": torch.from_numpy(image),
            "allowed": torch.from_numpy(allowed),
            "weight": torch.tensor(1.0),
            "diameter_mm": torch.tensor(diameter_mm),
        }

    def _drawn_carcinoma(self, rng: np.random.Generator) -> _Drawn:
        kind = CARCINOMAS[int(rng.integers(len(CARCINOMAS)))]
        return self._paint(draw_nodule(kind.value, rng), {kind}, rng)

    def _drawn_benign(self, rng: np.random.Generator) -> _Drawn:
        return self._paint(draw_nodule("normal", rng), {NoduleClass.NORMAL}, rng)

    def _real_suspicious(self, rng: np.random.Generator) -> _Drawn:
        return self._paste(self._suspicious, set(CARCINOMAS), rng)

    def _real_benign(self, rng: np.random.Generator) -> _Drawn:
        return self._paste(self._benign, {NoduleClass.NORMAL}, rng)

    def _nothing(self, rng: np.random.Generator) -> _Drawn:
        """Plain lung, or the brightest place near it: mostly a vessel."""
        hu, centre = self._any_lungs(rng).cube(rng, "isolated")
        if rng.random() < 0.7:
            start = np.rint(centre).astype(int) - 8
            near = hu[tuple(slice(a, a + 17) for a in start)]
            centre = start + np.array(np.unravel_index(int(near.argmax()), near.shape), float)
        return hu, centre, {NoduleClass.NORMAL}, 0.0

    def _any_lungs(self, rng: np.random.Generator) -> _Lungs:
        return self._lungs[int(rng.integers(len(self._lungs)))]

    def _paint(
        self, spec: NoduleSpec, classes: set[NoduleClass], rng: np.random.Generator
    ) -> _Drawn:
        hu, centre = self._any_lungs(rng).cube(rng, spec.place)
        place = (float(centre[0]), float(centre[1]), float(centre[2]))
        blur = (0.6, 0.6, 0.6)
        painted = paint_nodule(hu, (1.0, 1.0, 1.0), place, spec, rng, psf_sigma_mm_zyx=blur)
        return hu, centre, classes, painted.diameter_mm

    def _paste(
        self, crops: Sequence[NoduleCrop], classes: set[NoduleClass], rng: np.random.Generator
    ) -> _Drawn:
        stamp = nodule_stamp(crops[int(rng.integers(len(crops)))], rng, scale_range=(0.9, 1.1))
        while True:  # a site in the lung itself is met within a few tries
            hu, centre = self._any_lungs(rng).cube(rng, "pleura" if rng.random() < 0.3 else "")
            if paste(hu, stamp, centre):
                return hu, centre, classes, stamp.diameter_mm


def is_suspicious(crop: NoduleCrop) -> bool:
    """Whether readers rated it as cancer."""
    return crop.finding.malignancy is not None and crop.finding.malignancy >= SUSPICIOUS_FROM


def is_benign(crop: NoduleCrop) -> bool:
    """Whether readers rated it as normal."""
    return crop.finding.malignancy is not None and crop.finding.malignancy <= BENIGN_TO


_Drawn = tuple["NDArray[np.float32]", "NDArray[np.float64]", set[NoduleClass], float]
"""A cube of HU, the nodule's centre in it, the classes it may be, and its diameter in mm."""


class _Lungs:
    """A prepared case as a source of places that hold nothing known."""

    def __init__(self, case: PreparedCase) -> None:
        volume = case.volume
        self._hu, self._lung = volume.hu, volume.lung_labels
        self._known = [
            (volume.voxel_xyz(finding.centre_world_mm)[::-1], finding.diameter_mm / 2 + 10)
            for finding in case.findings
        ]
        rng = np.random.default_rng(0)
        self._middle = np.mean([self._lung_site(rng) for _ in range(CENTRAL_TRIES)], axis=0)

    def cube(
        self, rng: np.random.Generator, place: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """HU around a site of the kind, air beyond the volume, and the site in that cube."""
        for _ in range(CENTRAL_TRIES):
            site = self._site(rng, place)
            if all(np.linalg.norm(site - centre) > radius for centre, radius in self._known):
                break
        cube = cut_cube(self._hu, site - CUBE_VOXELS // 2, CUBE_VOXELS)
        return cube, np.full(3, CUBE_VOXELS // 2, np.float64)

    def _site(self, rng: np.random.Generator, place: str) -> Site:
        if place == "hilar":
            some = np.array([self._lung_site(rng) for _ in range(CENTRAL_TRIES)])
            nearest: Site = some[int(np.linalg.norm(some - self._middle, axis=1).argmin())]
            return nearest
        if place == "pleura":
            edge = edge_site_in(self._lung, rng)
            return self._lung_site(rng) if edge is None else edge
        return self._lung_site(rng)

    def _lung_site(self, rng: np.random.Generator) -> Site:
        site = site_in(self._lung, rng)
        return rng.integers(self._lung.shape) if site is None else site


def _turn(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Flips left and right, and front and back, at random; both views alike."""
    for axis in (2, 3):
        if rng.random() < 0.5:
            image = np.flip(image, axis)
    return np.ascontiguousarray(image)


assert VIEW_VOXELS * max(VIEW_SPACINGS_MM) + 6 <= CUBE_VOXELS, "the wide view must fit the cube"
