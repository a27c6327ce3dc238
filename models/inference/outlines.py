"""`outline`: both outlines of findings, and how dense they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.models.measurements.density import density_of
from hounsfield.preprocessing.parallel import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.models.contracts import Candidate, Outlines, Segmentation, Segmenter
    from hounsfield.models.measurements.density import Density
    from hounsfield.preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """A nodule as it was outlined; all None where nothing like one was found.

    Attributes:
        exact: To its true edge, of which its size is taken.
        drawn: As readers would outline it.
        density: Inside what readers would outline, in whose bounds they name a texture.
    """

    exact: Segmentation | None = None
    drawn: Segmentation | None = None
    density: Density | None = None


def outline(
    segmenter: Segmenter, volume: Volume, candidates: Sequence[Candidate]
) -> list[Outlined]:
    """Outlines each candidate.

    Args:
        segmenter: Knows both edges.
        volume: The native grid.
        candidates: Place and size.
    """

    def outlined(both: Outlines) -> Outlined:
        seen = both.drawn or both.exact
        return Outlined(both.exact, both.drawn, density_of(seen, volume) if seen else None)

    return side_by_side(outlined, segmenter.segment(volume, candidates))
