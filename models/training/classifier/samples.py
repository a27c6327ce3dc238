"""Training samples for the classifier: nodules of known, of partly known and of no class."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from hounsfield.data.phantom import draw_nodule, paint_nodule
from hounsfield.models.contracts import NoduleClass
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

CUT_SHARE = 0.8
"""Part of the drawn nodules that end where the lung does."""

MIN_MM = 2.5
"""What the lung leaves of a drawn nodule must be of this diameter, or it is put elsewhere."""

TRIES = 50


@dataclass(frozen=True, slots=True, eq=False)
class _Shown:
    """A cube, the place in it that is looked at, what that may be, its size and its looks."""

    cube: Cube
    centre_zyx: NDArray[np.float64]
    classes: frozenset[NoduleClass]
    diameter_mm: float
    looks: NDArray[np.float32] = field(default_factory=UNKNOWN_ATTRIBUTES.copy)


@dataclass(frozen=True, slots=True, eq=False)
class _Lungs:
    """A case with lungs: places to put nodules, and the voxels (n, 3) of false marks."""

    case: PreparedCase
    places: LungPlaces
    false_marks_zyx: NDArray[np.float64]


class ClassificationSamples(SeededSamples):
    """Nodules of all classes and places without one, each with the classes it may have.

    Nodules that are drawn or pasted are put into the same lungs, so that no scanner stands for a
    class; for findings that the cases hold themselves see `models.training.class_material`.

    Args:
        cases: Lungs to put nodules into, and findings whose class is known.
        false_marks: For each case (n, 3): places that are no nodule, x, y, z in LPS mm.
        crops: Real nodules.
        plan: How samples are drawn.
        length: How many samples there are.
        seed: Of all choices.

    Raises:
        UsageError: There is nothing to show for any part of the plan.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        false_marks: Sequence[NDArray[np.float64]],
        crops: Sequence[NoduleCrop],
        plan: ClassifierSamplingConfig,
        *,
        length: int,
        seed: int,
    ) -> None:
        super().__init__(length=length, seed=seed)
        self.plan = plan
        lungs = [
            _Lungs(case, LungPlaces(case), case.volume.voxel_xyz(marks)[:, ::-1])
            for case, marks in zip(cases, false_marks, strict=True)
        ]
        self._lungs = [one for one in lungs if one.places]
        self._marked = [one for one in lungs if len(one.false_marks_zyx)]
        self._own = own_findings(cases)
        self._crops = {
            classes: [one for one in crops if allowed_classes(one.finding) == classes]
            for classes in (frozenset(CARCINOMAS), frozenset({NoduleClass.NORMAL}))
        }
        self._kinds = self._possible()

    def sample(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Gives ``image`` [2, 40, 40, 40], ``allowed``, ``looks``, ``weight``, ``diameter_mm``."""
        plan = self.plan
        odds = np.array([share for _, share in self._kinds])
        draw = self._kinds[int(rng.choice(len(odds), p=odds / odds.sum()))][0]
        shown = draw(rng)
        reach = max(plan.jitter_mm, shown.diameter_mm / 6)
        centre = shown.centre_zyx + rng.uniform(-reach, reach, size=3)
        image = varied_views(
            shown.cube,
            centre,
            plan.hu_window,
            turns=bool(rng.random() < plan.free_turn_share),
            degrades=bool(rng.random() < plan.degrade_share),
            rng=rng,
        )
        allowed = np.array([float(c in shown.classes) for c in NoduleClass], np.float32)
        weight = float(allowed @ plan.class_weights / allowed.sum())
        return {
            "image": torch.from_numpy(image),
            "allowed": torch.from_numpy(allowed),
            "looks": torch.from_numpy(shown.looks),
            "weight": torch.tensor(weight),
            "diameter_mm": torch.tensor(shown.diameter_mm),
        }

    def _possible(self) -> list[tuple[Callable[[np.random.Generator], _Shown], float]]:
        """What can be shown, and how often."""
        plan = self.plan
        suspicious, benign = self._crops.values()
        kinds: list[tuple[Callable[[np.random.Generator], _Shown], float, Sized]] = [
            (self._own_finding, plan.own, self._own),
            (self._drawn_carcinoma, plan.drawn_carcinoma, self._lungs),
            (self._drawn_benign, plan.drawn_benign, self._lungs),
            (self._real_suspicious, plan.real_suspicious, self._lungs and suspicious),
            (self._real_benign, plan.real_benign, self._lungs and benign),
            (self._false_mark, plan.false_marks, self._marked),
            (self._nothing, plan.nothing, self._lungs),
        ]
        possible = [(draw, share) for draw, share, material in kinds if share > 0 and material]
        if not possible:
            msg = "sampling: no part has both a share above 0 and material in data.cases"
            raise UsageError(msg)
        return possible

    def _own_finding(self, rng: np.random.Generator) -> _Shown:
        classes = list(self._own)[int(rng.integers(len(self._own)))]
        case, finding = self._own[classes][int(rng.integers(len(self._own[classes])))]
        site = case.volume.voxel_xyz(finding.centre_world_mm)[::-1]
        cube, centre = cube_around(case.volume, site)
        looks = (
            UNKNOWN_ATTRIBUTES if finding.specified is None else attributes_of(finding.specified)
        )
        return _Shown(cube, centre, classes, finding.diameter_mm, looks)

    def _drawn_carcinoma(self, rng: np.random.Generator) -> _Shown:
        kind = CARCINOMAS[int(rng.integers(len(CARCINOMAS)))]
        return self._paint(draw_nodule(kind.value, rng), frozenset({kind}), rng)

    def _drawn_benign(self, rng: np.random.Generator) -> _Shown:
        return self._paint(draw_nodule("normal", rng), frozenset({NoduleClass.NORMAL}), rng)

    def _real_suspicious(self, rng: np.random.Generator) -> _Shown:
        return self._paste(frozenset(CARCINOMAS), rng)

    def _real_benign(self, rng: np.random.Generator) -> _Shown:
        return self._paste(frozenset({NoduleClass.NORMAL}), rng)

    def _false_mark(self, rng: np.random.Generator) -> _Shown:
        lungs = self._any(self._marked, rng)
        marks = lungs.false_marks_zyx
        # The best come first, and become findings: they are shown more often.
        chosen = marks[int(len(marks) * rng.random() ** 2)]
        cube, centre = cube_around(lungs.case.volume, chosen)
        return _Shown(cube, centre, frozenset({NoduleClass.NORMAL}), 0.0)

    def _nothing(self, rng: np.random.Generator) -> _Shown:
        """Plain lung, or the brightest place near it: mostly a vessel."""
        lungs = self._any(self._lungs, rng)
        cube, centre = cube_around(lungs.case.volume, lungs.places.draw("vessel", 0.0, rng))
        if rng.random() < 0.7:
            centre = brightest_near(cube.hu, np.rint(centre).astype(int)).astype(float)
        return _Shown(cube, centre, frozenset({NoduleClass.NORMAL}), 0.0)

    def _any(self, lungs: Sequence[_Lungs], rng: np.random.Generator) -> _Lungs:
        """One of them, real ones as often as the plan says."""
        real = [one for one in lungs if not one.case.synthetic]
        synthetic = [one for one in lungs if one.case.synthetic]
        takes_real = bool(real) and (not synthetic or rng.random() < self.plan.real_share)
        chosen = real if takes_real else synthetic
        return chosen[int(rng.integers(len(chosen)))]

    def _paint(
        self, spec: NoduleSpec, classes: frozenset[NoduleClass], rng: np.random.Generator
    ) -> _Shown:
        """Draws a nodule where its kind lies; the lung's surface cuts most, as in phantoms."""
        for _ in range(TRIES):
            lungs = self._any(self._lungs, rng)
            site = lungs.places.draw(spec.place, spec.diameter_mm, rng)
            cube, centre = cube_around(lungs.case.volume, site)
            painted = paint_nodule(
                cube.hu,
                (1.0, 1.0, 1.0),
                (float(centre[0]), float(centre[1]), float(centre[2])),
                spec,
                rng,
                lung_fraction=cube.lung_fraction if rng.random() < CUT_SHARE else None,
                psf_sigma_mm_zyx=(float(rng.uniform(0.4, 0.9)),) * 3,
            )
            if painted.diameter_mm >= MIN_MM:
                drawn_zyx = np.array(painted.centre_voxel_zyx)
                return _Shown(cube, drawn_zyx, classes, painted.diameter_mm, attributes_of(spec))
        return self._nothing(rng)

    def _paste(self, classes: frozenset[NoduleClass], rng: np.random.Generator) -> _Shown:
        crops = self._crops[classes]
        stamp = nodule_stamp(crops[int(rng.integers(len(crops)))], rng, scale_range=(0.9, 1.1))
        for _ in range(TRIES):
            place = "pleura" if rng.random() < 0.3 else "isolated"
            lungs = self._any(self._lungs, rng)
            cube, centre = cube_around(
                lungs.case.volume, lungs.places.draw(place, stamp.diameter_mm, rng)
            )
            if paste(cube.hu, stamp, centre):
                return _Shown(cube, centre, classes, stamp.diameter_mm)
        return self._nothing(rng)
