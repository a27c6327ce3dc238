"""Segments findings: both outlines of each, and the density inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.measurements.density import density_of
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Candidate, NoduleSegmentations, Segmentation, Segmenter
    from hounsfield.models.measurements.density import Density
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class SegmentedNodule:
    """A nodule as it was outlined; all None where nothing like one was found.

    Attributes:
        boundary: To its true edge, of which its size is taken.
        reader_style: As readers would outline it.
        density: Inside what readers would outline, in whose bounds they name a texture.
    """

    boundary: Segmentation | None = None
    reader_style: Segmentation | None = None
    density: Density | None = None


def segment_findings(
    segmenter: Segmenter, volume: Volume, candidates: Sequence[Candidate]
) -> list[SegmentedNodule]:
    """NoduleSegmentations each candidate.

    Args:
        segmenter: Knows both edges.
        volume: The native grid.
        candidates: Place and size.
    """

    def outlined(both: NoduleSegmentations) -> SegmentedNodule:
        seen = both.reader_style or both.boundary
        return SegmentedNodule(
            both.boundary, both.reader_style, density_of(seen, volume) if seen else None
        )

    return thread_map(outlined, segmenter.segment(volume, candidates))
