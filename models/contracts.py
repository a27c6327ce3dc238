"""What the stages hand to one another: candidates, findings, and the protocols of models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from preprocessing.working_volume import WorkingVolume

WorldPoint = tuple[float, float, float]
"""(x, y, z) in LPS mm."""


class NoduleClass(StrEnum):
    """The four classes, in the order of every list of class probabilities."""

    ADENOCARCINOMA = "adenocarcinoma"
    LARGE_CELL_CARCINOMA = "large_cell_carcinoma"
    SQUAMOUS_CELL_CARCINOMA = "squamous_cell_carcinoma"
    NORMAL = "normal"


class ConfidenceBand(StrEnum):
    """How far a class may be trusted; see `confidence_band`."""

    HIGH = "high"
    REVIEW = "review"
    UNCERTAIN = "uncertain"
    OUT_OF_DISTRIBUTION = "out_of_distribution"


HIGH_ABOVE, REVIEW_FROM = 0.85, 0.60


def confidence_band(class_probabilities: Sequence[float]) -> ConfidenceBand:
    """Reads the band off the largest calibrated class probability.

    Above 0.85 `HIGH`; from 0.60 to 0.85, both included, `REVIEW`; below 0.60 `UNCERTAIN`.
    """
    largest = max(class_probabilities)
    if largest > HIGH_ABOVE:
        return ConfidenceBand.HIGH
    return ConfidenceBand.REVIEW if largest >= REVIEW_FROM else ConfidenceBand.UNCERTAIN


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that the detector marks, before reduction.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: The diameter of a sphere of its size.
        score: Calibrated, 0 to 1.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    score: float


class Detector(Protocol):
    """Finds candidates."""

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns every candidate, best score first."""
        ...


class Classifier(Protocol):
    """Gives each candidate its four class probabilities."""

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[tuple[float, float, float, float]]:
        """Returns calibrated probabilities in the order of `NoduleClass`, one row a candidate."""
        ...
