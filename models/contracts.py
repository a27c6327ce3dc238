"""The protocols of models, and the segmentations that they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.findings import Candidate, Classification
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The voxels of a nodule, in a box on the grid of the volume in which it was segmented.

    Attributes:
        start_zyx: First voxel of the box.
        fraction: float32, ``[z, y, x]``: how much of each voxel of the box is nodule, 0 to 1.
    """

    start_zyx: tuple[int, int, int]
    fraction: NDArray[np.float32]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box as slices of the volume's arrays, ``[z, y, x]``."""
        (z, y, x), (depth, height, width) = self.start_zyx, self.fraction.shape
        return slice(z, z + depth), slice(y, y + height), slice(x, x + width)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The voxels of the box that are at least half nodule."""
        return self.fraction >= 0.5


class NoduleSegmentations(NamedTuple):
    """Both outlines of a nodule; None where the segmenter finds no nodule.

    Attributes:
        boundary: Outline at its true edge, from which its size is measured.
        reader_style: Outline as radiologists draw it, which is a little wide of the edge.
    """

    boundary: Segmentation | None
    reader_style: Segmentation | None


class Detector(Protocol):
    """Proposes candidates."""

    def detect(self, volume: WorkingVolume) -> list[Candidate]:
        """Return every candidate in a working volume, best score first."""
        ...


class Reducer(Protocol):
    """Scores a detector's candidates again, to separate nodules from false positives."""

    def reduce(self, volume: WorkingVolume, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Score the candidates again.

        Args:
            volume: The working volume in which the detector ran.
            candidates: The detector's candidates with their calibrated scores.

        Returns:
            Every candidate with its final score, best first.
        """
        ...


class Segmenter(Protocol):
    """Segments candidates."""

    def segment(self, volume: Volume, candidates: Sequence[Candidate]) -> list[NoduleSegmentations]:
        """Segment candidates on the grid of an upright volume.

        Args:
            volume: The series in HU with the spacing of its native grid, upright.
            candidates: Candidates with their places in LPS mm and estimated diameters.

        Returns:
            Both outlines of each candidate, in their order.
        """
        ...


class Rater(Protocol):
    """Estimates how suspicious radiologists would rate segmented candidates."""

    def rate(
        self,
        volume: Volume,
        candidates: Sequence[Candidate],
        outlines: Sequence[Segmentation | None],
    ) -> list[float | None]:
        """Rate the malignancy of candidates.

        Args:
            volume: The series in HU with the spacing of its native grid, upright.
            candidates: Candidates with their places in LPS mm.
            outlines: Reader-style outline of each candidate; None where it has none.

        Returns:
            Probability of a rating of 4 or 5 of 5, 0 to 1; None where there is no outline.
        """
        ...


class Classifier(Protocol):
    """Classifies candidates."""

    def classify(
        self, volume: WorkingVolume, candidates: Sequence[Candidate]
    ) -> list[Classification]:
        """Classify candidates.

        Args:
            volume: The working volume, at 1 mm.
            candidates: Candidates with their places in LPS mm.

        Returns:
            Class probabilities of each candidate, in their order.
        """
        ...
