"""`outline`: the outlines of findings, and which of them a finding's size is taken from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.contracts import DRAWN_EDGE
from models.measurements.density import Texture, texture_of
from models.measurements.nodule import bright_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.contracts import Candidate, Segmentation, Segmenter
    from preprocessing.volume import Volume


def outline(
    segmenter: Segmenter, volume: Volume, candidates: Sequence[Candidate]
) -> tuple[list[Segmentation | None], list[Segmentation | None]]:
    """Outlines each candidate as it is measured, and as readers would outline it.

    Args:
        segmenter: Knows both edges.
        volume: The native grid.
        candidates: Place and size.
    """
    exact = segmenter.segment(volume, candidates)
    drawn = segmenter.segment(volume, candidates, edge=DRAWN_EDGE)
    sized = [sized_outline(one, wide, volume) for one, wide in zip(exact, drawn, strict=True)]
    return sized, drawn


def sized_outline(
    exact: Segmentation | None, drawn: Segmentation | None, volume: Volume
) -> Segmentation | None:
    """The outline whose size counts: the true edge, or the readers' of a part-solid nodule.

    The true edge of ground glass around a core is known from digital nodules alone, and the
    network often takes the core for all; readers' outlines taught it the whole.
    """
    if exact is None or drawn is None:
        return exact
    solid_share, calcification_share = bright_shares(drawn, volume)
    texture = texture_of(solid_share=solid_share, calcification_share=calcification_share)
    return drawn if texture is Texture.PART_SOLID else exact
