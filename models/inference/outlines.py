"""Segments findings: both outlines of each, and the density inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.measurements.density import density_of
from hounsfield.models.measurements.nodule import SegmentedNodule
from hounsfield.preprocessing.parallel import thread_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import NoduleSegmentations, Segmenter
    from hounsfield.models.findings import Candidate
    from hounsfield.preprocessing.volume import Volume


def segment_findings(
    segmenter: Segmenter, volume: Volume, candidates: Sequence[Candidate]
) -> list[SegmentedNodule]:
    """Segment candidates and measure the density inside each outline.

    Args:
        segmenter: Gives the boundary and the reader-style outline of a nodule.
        volume: The series in HU with the spacing of its native grid, upright.
        candidates: Candidates with their places in LPS mm and estimated diameters.

    Returns:
        One nodule for each candidate, in their order; an empty one where nothing was found.
    """

    def with_density(outlines: NoduleSegmentations) -> SegmentedNodule:
        inside = outlines.reader_style or outlines.boundary
        return SegmentedNodule(
            outlines.boundary,
            outlines.reader_style,
            density_of(inside, volume) if inside else None,
        )

    return thread_map(with_density, segmenter.segment(volume, candidates))
