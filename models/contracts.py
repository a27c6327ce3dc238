"""The types that stages exchange: candidates, findings, and the protocols of models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.measurements.nodule import NoduleMeasurements
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.volume import SourcePixel, Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume

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


def confidence_band(
    class_probabilities: Sequence[float], *, out_of_distribution: bool = False
) -> ConfidenceBand:
    """Reads the band off the largest calibrated class probability.

    Above 0.85 `HIGH`; from 0.60 to 0.85, both included, `REVIEW`; below 0.60 `UNCERTAIN`; whatever
    the probability, `OUT_OF_DISTRIBUTION` for an input unlike the training data.
    """
    if out_of_distribution:
        return ConfidenceBand.OUT_OF_DISTRIBUTION
    largest = max(class_probabilities)
    if largest > HIGH_ABOVE:
        return ConfidenceBand.HIGH
    return ConfidenceBand.REVIEW if largest >= REVIEW_FROM else ConfidenceBand.UNCERTAIN


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that the detector proposes.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of the same volume.
        score: Calibrated probability of a nodule, 0 to 1.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    score: float


class Lung(StrEnum):
    """The patient's own side."""

    RIGHT = "right"
    LEFT = "left"


class Zone(StrEnum):
    """Thirds of a lung's height."""

    UPPER = "upper"
    MIDDLE = "middle"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class LungLocation:
    """Where in the lungs a finding lies."""

    lung: Lung
    zone: Zone


@dataclass(frozen=True, slots=True)
class Finding:
    """A candidate that is kept and reported.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of the measured volume; the detector's estimate where
            nothing was measured.
        score: Calibrated probability of a nodule, 0 to 1.
        class_probabilities: Calibrated, in the order of `NoduleClass`.
        confidence_band: How far the class may be trusted.
        location: Lung side and zone.
        source: The original image and the pixel of the centre; None for MetaImage and NIfTI.
        measurements: Size, density and margin; None where no outline was found.
        malignancy: Probability that radiologists would rate it 4 or 5 of 5, 0 to 1; None where it
            was not rated.
        notices: Notices about this finding alone.
        activation_map: Class activation map of the classifier; None where there is none to show.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    score: float
    class_probabilities: tuple[float, float, float, float]
    confidence_band: ConfidenceBand
    location: LungLocation
    source: SourcePixel | None = None
    measurements: NoduleMeasurements | None = None
    malignancy: float | None = None
    notices: tuple[Notice, ...] = ()
    activation_map: ActivationMap | None = None

    @property
    def likeliest_class(self) -> NoduleClass:
        """The class with the largest probability; the first in order where they tie."""
        classes = list(NoduleClass)
        return max(classes, key=lambda name: self.class_probabilities[classes.index(name)])


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The voxels of a nodule, in a box on the native grid.

    Attributes:
        start_zyx: First voxel of the box.
        fraction: float32, ``[z, y, x]``: how much of each voxel of the box is nodule, 0 to 1.
    """

    start_zyx: tuple[int, int, int]
    fraction: NDArray[np.float32]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where in the volume's arrays the nodule lies."""
        (z, y, x), (depth, height, width) = self.start_zyx, self.fraction.shape
        return slice(z, z + depth), slice(y, y + height), slice(x, x + width)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The voxels of the box that are at least half nodule."""
        return self.fraction >= 0.5


class NoduleSegmentations(NamedTuple):
    """Both outlines of a nodule; None where nothing like one is there.

    Attributes:
        boundary: To its true edge.
        reader_style: As readers outline it.
    """

    boundary: Segmentation | None
    reader_style: Segmentation | None


class Detector(Protocol):
    """Finds candidates."""

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Returns every candidate, best score first."""
        ...


class Reducer(Protocol):
    """Looks again at what a detector marked, and tells nodules from what only looks like one."""

    def reduce(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Returns every candidate with the score that counts from here on, best score first."""
        ...


class Segmenter(Protocol):
    """Finds the voxels of each candidate."""

    def segment(self, volume: Volume, candidates: Sequence[Candidate]) -> list[NoduleSegmentations]:
        """Returns both outlines of each candidate.

        Args:
            volume: The native grid.
            candidates: LungLocation and size.
        """
        ...


class Rater(Protocol):
    """Tells how suspicious radiologists would find each outlined candidate."""

    def rate(
        self,
        volume: Volume,
        candidates: Sequence[Candidate],
        outlines: Sequence[Segmentation | None],
    ) -> list[float | None]:
        """Returns the probability of a rating of 4 or 5; None where there is no outline.

        Args:
            volume: The native grid.
            candidates: LungLocation and size.
            outlines: Of the edge as readers draw it.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ActivationMap:
    """Where a classifier sees what speaks for each class: its logits are made of these values.

    Attributes:
        activation: float32, ``[class, z, y, x]``, classes in the order of `NoduleClass`; above 0
            speaks for the class, below against it; the mean over the classes is 0.
        affine: 4 x 4; (x, y, z) indices of voxel centres to LPS mm.
    """

    activation: NDArray[np.float32]
    affine: NDArray[np.float64]

    def contrast_for(self, name: NoduleClass) -> NDArray[np.float32]:
        """``[z, y, x]``: for a carcinoma and against normal, or for normal and against carcinoma.

        Against carcinoma is against the mean of the three.
        """
        classes = list(NoduleClass)
        normal = self.activation[classes.index(NoduleClass.NORMAL)]
        named = self.activation[classes.index(name)]
        if name is NoduleClass.NORMAL:
            rest = (self.activation.sum(axis=0) - normal) / (len(classes) - 1)
        else:
            rest = normal
        difference: NDArray[np.float32] = named - rest
        return difference


@dataclass(frozen=True, slots=True)
class Classification:
    """What a classifier says of a candidate.

    Attributes:
        probabilities: Calibrated, in the order of `NoduleClass`.
        out_of_distribution: Whether its surroundings are unlike the training data.
        activation_map: Class activation map, close up; None where the classifier has none.
    """

    probabilities: tuple[float, float, float, float]
    out_of_distribution: bool = False
    activation_map: ActivationMap | None = None


class Classifier(Protocol):
    """Gives each candidate its four class probabilities."""

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[Classification]:
        """Returns what is said of each candidate."""
        ...
