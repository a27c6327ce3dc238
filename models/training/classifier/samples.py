"""Training samples for the classifier: nodules of known and partly known class, and background."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from hounsfield.data.phantom import draw_nodule, paint_nodule
from hounsfield.models.findings import NoduleClass
from hounsfield.models.training.augmentation.class_views import Cube, cube_around, varied_views
from hounsfield.models.training.augmentation.lung_places import LungPlaces
from hounsfield.models.training.augmentation.pasting import nodule_stamp, paste
from hounsfield.models.training.augmentation.sites import brightest_near
from hounsfield.models.training.classifier.class_material import (
    CARCINOMAS,
    UNKNOWN_ATTRIBUTES,
    allowed_classes,
    attributes_of,
    own_findings,
)
from hounsfield.models.training.engine.seeded_samples import SeededSamples
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

    from numpy.typing import NDArray

    from hounsfield.data.phantom import NoduleSpec
    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.classifier.configuration import ClassifierSamplingConfig

    Kind = Callable[[np.random.Generator], "_Example"]

CUT_PROBABILITY = 0.8
"""Probability that a synthetic nodule ends where the lung does."""

MIN_DIAMETER_MM = 2.5
"""A synthetic nodule of which the lung leaves less than this is put elsewhere."""

MAX_ATTEMPTS = 50
"""Places that are tried for a nodule before background is shown instead."""

PLEURAL_PROBABILITY = 0.3
"""Probability that a real nodule is pasted at the pleura."""

VESSEL_PROBABILITY = 0.7
"""Probability that background is centred on the brightest place nearby."""


@dataclass(frozen=True, slots=True, eq=False)
class _Example:
    """A cube, a place in it, and the classes, the size and the attributes of what lies there."""

    cube: Cube
    centre_zyx: NDArray[np.float64]
    classes: frozenset[NoduleClass]
    diameter_mm: float
    attributes: NDArray[np.float32] = field(default_factory=UNKNOWN_ATTRIBUTES.copy)


@dataclass(frozen=True, slots=True, eq=False)
class _Lungs:
    """A case with lungs, places for nodules in it, and the voxels ``[n, 3]`` of false positives."""

    case: PreparedCase
    places: LungPlaces
    false_positives_zyx: NDArray[np.float64]


class ClassificationSamples(SeededSamples):
    """Nodules of all classes and places without one, each with the classes it may have.

    Synthetic and pasted nodules are added to the same lungs, so that no scanner stands for a
    class; `class_material` says which findings of the cases themselves are used.

    Args:
        cases: Lungs to which nodules are added, and findings whose class is known.
        false_positives: Places in each case that resemble a nodule and are none, ``[n, 3]``,
            x, y, z in LPS mm.
        crops: Real nodules to paste.
        sampling: How often each kind of sample is shown, and how samples are varied.
        length: Number of samples.
        seed: Seed of all random choices.

    Raises:
        UsageError: No kind of sample has both a weight above 0 and material.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        false_positives: Sequence[NDArray[np.float64]],
        crops: Sequence[NoduleCrop],
        sampling: ClassifierSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.sampling = sampling
        lungs = [
            _Lungs(case, LungPlaces(case), case.volume.voxel_xyz(centres)[:, ::-1])
            for case, centres in zip(cases, false_positives, strict=True)
        ]
        self._lungs = [item for item in lungs if item.places]
        self._with_false_positives = [item for item in lungs if len(item.false_positives_zyx)]
        self._own = own_findings(cases)
        self._crops = {
            classes: [crop for crop in crops if allowed_classes(crop.finding) == classes]
            for classes in (frozenset(CARCINOMAS), frozenset({NoduleClass.NORMAL}))
        }
        self._kinds = self._available_kinds()

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Makes ``image`` [2, 40, 40, 40] with ``allowed`` [4], ``attributes`` [10] and scalars.

        The scalars are ``weight``, for the loss, and ``diameter_mm``, 0 without a nodule.
        """
        sampling = self.sampling
        weights = np.array([weight for _, weight in self._kinds])
        make_example = self._kinds[int(rng.choice(len(weights), p=weights / weights.sum()))][0]
        example = make_example(rng)
        max_shift = max(sampling.jitter_mm, example.diameter_mm / 6)
        centre = example.centre_zyx + rng.uniform(-max_shift, max_shift, size=3)
        image = varied_views(
            example.cube,
            centre,
            sampling.hu_window,
            rotate=bool(rng.random() < sampling.free_rotation_probability),
            degraded=bool(rng.random() < sampling.degradation_probability),
            rng=rng,
        )
        allowed = np.array([float(c in example.classes) for c in NoduleClass], np.float32)
        weight = float(allowed @ sampling.class_weights / allowed.sum())
        return {
            "image": torch.from_numpy(image),
            "allowed": torch.from_numpy(allowed),
            "attributes": torch.from_numpy(example.attributes),
            "weight": torch.tensor(weight),
            "diameter_mm": torch.tensor(example.diameter_mm),
        }

    def require_two_classes(self) -> None:
        """Refuses samples that all show the same classes: nothing could be told apart.

        Raises:
            UsageError: They do; the message has the numbers.
        """
        kinds = {kind for kind, _ in self._kinds}
        shown = set(self._own) if self._own_finding in kinds else set()
        if self._synthetic_carcinoma in kinds:
            shown |= {frozenset({carcinoma}) for carcinoma in CARCINOMAS}
        if self._real_suspicious in kinds:
            shown.add(frozenset(CARCINOMAS))
        if kinds & {
            self._synthetic_benign,
            self._real_benign,
            self._false_positive,
            self._background,
        }:
            shown.add(frozenset({NoduleClass.NORMAL}))
        if len(shown) < 2:
            (classes,) = shown
            findings = sum(map(len, self._own.values()))
            crops = sum(map(len, self._crops.values()))
            msg = (
                f"all samples are {' or '.join(sorted(classes))}: {findings} findings of "
                f"data.cases and {crops} nodules of data.nodules have a class; a classifier needs "
                "two classes, so add findings of another or give its kind a weight in sampling"
            )
            raise UsageError(msg)

    def _available_kinds(self) -> list[tuple[Kind, float]]:
        """The kinds of samples for which there is material, with their weights."""
        sampling = self.sampling
        suspicious, benign = self._crops.values()
        kinds: list[tuple[Kind, float, Sized]] = [
            (self._own_finding, sampling.own_weight, self._own),
            (self._synthetic_carcinoma, sampling.synthetic_carcinoma_weight, self._lungs),
            (self._synthetic_benign, sampling.synthetic_benign_weight, self._lungs),
            (
                self._real_suspicious,
                sampling.real_suspicious_weight,
                self._lungs and suspicious,
            ),
            (self._real_benign, sampling.real_benign_weight, self._lungs and benign),
            (
                self._false_positive,
                sampling.false_positive_weight,
                self._with_false_positives,
            ),
            (self._background, sampling.background_weight, self._lungs),
        ]
        available = [(kind, weight) for kind, weight, material in kinds if weight > 0 and material]
        if not available:
            msg = (
                "sampling: no kind of sample has both a weight above 0 and material in data.cases "
                "or data.nodules"
            )
            raise UsageError(msg)
        return available

    def _own_finding(self, rng: np.random.Generator) -> _Example:
        classes = list(self._own)[int(rng.integers(len(self._own)))]
        case, finding = self._own[classes][int(rng.integers(len(self._own[classes])))]
        site = case.volume.voxel_xyz(finding.centre_world_mm)[::-1]
        cube, centre = cube_around(case.volume, site)
        spec = finding.specified
        attributes = UNKNOWN_ATTRIBUTES if spec is None else attributes_of(spec)
        return _Example(cube, centre, classes, finding.diameter_mm, attributes)

    def _synthetic_carcinoma(self, rng: np.random.Generator) -> _Example:
        carcinoma = CARCINOMAS[int(rng.integers(len(CARCINOMAS)))]
        return self._paint(draw_nodule(carcinoma.value, rng), frozenset({carcinoma}), rng)

    def _synthetic_benign(self, rng: np.random.Generator) -> _Example:
        return self._paint(draw_nodule("normal", rng), frozenset({NoduleClass.NORMAL}), rng)

    def _real_suspicious(self, rng: np.random.Generator) -> _Example:
        return self._paste(frozenset(CARCINOMAS), rng)

    def _real_benign(self, rng: np.random.Generator) -> _Example:
        return self._paste(frozenset({NoduleClass.NORMAL}), rng)

    def _false_positive(self, rng: np.random.Generator) -> _Example:
        lungs = self._choose(self._with_false_positives, rng)
        centres = lungs.false_positives_zyx
        # Those with the best scores come first and would become findings: they are shown most.
        chosen = centres[int(len(centres) * rng.random() ** 2)]
        cube, centre = cube_around(lungs.case.volume, chosen)
        return _Example(cube, centre, frozenset({NoduleClass.NORMAL}), 0.0)

    def _background(self, rng: np.random.Generator) -> _Example:
        """Plain lung, or the brightest place near it, mostly a vessel."""
        lungs = self._choose(self._lungs, rng)
        cube, centre = cube_around(lungs.case.volume, lungs.places.sample("vessel", 0.0, rng))
        if rng.random() < VESSEL_PROBABILITY:
            centre = brightest_near(cube.hu, np.rint(centre).astype(int)).astype(float)
        return _Example(cube, centre, frozenset({NoduleClass.NORMAL}), 0.0)

    def _choose(self, lungs: Sequence[_Lungs], rng: np.random.Generator) -> _Lungs:
        """A random case, real with `real_probability` where there are both."""
        real = [item for item in lungs if not item.case.synthetic]
        synthetic = [item for item in lungs if item.case.synthetic]
        takes_real = bool(real) and (not synthetic or rng.random() < self.sampling.real_probability)
        chosen = real if takes_real else synthetic
        return chosen[int(rng.integers(len(chosen)))]

    def _paint(
        self, spec: NoduleSpec, classes: frozenset[NoduleClass], rng: np.random.Generator
    ) -> _Example:
        """Paints a synthetic nodule at a typical place; the lung cuts most, as in phantoms."""
        for _ in range(MAX_ATTEMPTS):
            lungs = self._choose(self._lungs, rng)
            site = lungs.places.sample(spec.place, spec.diameter_mm, rng)
            cube, centre = cube_around(lungs.case.volume, site)
            painted = paint_nodule(
                cube.hu,
                (1.0, 1.0, 1.0),
                (float(centre[0]), float(centre[1]), float(centre[2])),
                spec,
                rng,
                lung_fraction=cube.lung_fraction if rng.random() < CUT_PROBABILITY else None,
                psf_sigma_mm_zyx=(float(rng.uniform(0.4, 0.9)),) * 3,
            )
            if painted.diameter_mm >= MIN_DIAMETER_MM:
                centre_zyx = np.array(painted.centre_voxel_zyx)
                return _Example(cube, centre_zyx, classes, painted.diameter_mm, attributes_of(spec))
        return self._background(rng)

    def _paste(self, classes: frozenset[NoduleClass], rng: np.random.Generator) -> _Example:
        crops = self._crops[classes]
        stamp = nodule_stamp(crops[int(rng.integers(len(crops)))], rng, scale_range=(0.9, 1.1))
        for _ in range(MAX_ATTEMPTS):
            place = "pleura" if rng.random() < PLEURAL_PROBABILITY else "isolated"
            lungs = self._choose(self._lungs, rng)
            cube, centre = cube_around(
                lungs.case.volume, lungs.places.sample(place, stamp.diameter_mm, rng)
            )
            if paste(cube.hu, stamp, centre):
                return _Example(cube, centre, classes, stamp.diameter_mm)
        return self._background(rng)
