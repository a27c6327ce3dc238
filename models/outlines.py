"""`outline`: the outlines of findings, and which of them a finding's size is taken from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from models.measurements.density import Texture, density_of
from preprocessing.processors import side_by_side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.contracts import Candidate, Outlines, Segmentation, Segmenter
    from models.measurements.density import Density
    from preprocessing.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Outlined:
    """A nodule as it was outlined; all None where nothing like one was found.

    Attributes:
        exact: To its true edge.
        drawn: As readers would outline it.
        density: Inside what readers would outline, in whose bounds they name a texture.
    """

    exact: Segmentation | None = None
    drawn: Segmentation | None = None
    density: Density | None = None

    @property
    def sized(self) -> Segmentation | None:
        """The outline whose size counts: the true edge, or the readers' of a part-solid nodule.

        The true edge of ground glass around a core is known from digital nodules alone, and the
        network often takes the core for all; readers' outlines taught it the whole.
        """
        part_solid = self.density is not None and self.density.texture is Texture.PART_SOLID
        return self.drawn if self.exact and self.drawn and part_solid else self.exact

    def as_drawn(self) -> Outlined:
        """The same, its size that of the readers' outline."""
        return replace(self, exact=self.drawn)


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
