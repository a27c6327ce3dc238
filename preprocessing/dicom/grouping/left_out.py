"""Tells on each part of a series which other parts of the same series it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.dicom.grouping.coherence import difference
from hounsfield.preprocessing.dicom.headers.instance import Instance
from hounsfield.preprocessing.dicom.headers.plane import Plane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.series import Series

_OTHER_KINDS = frozenset(
    {Reason.NOT_AN_IMAGE, Reason.NOT_CT, Reason.LOCALIZER, Reason.SECONDARY_CAPTURE, Reason.DERIVED}
)
"""Parts that are no slices of a CT: nothing is missing without them."""


def with_left_out_parts(parts: Sequence[Series]) -> list[Series]:
    """Returns the parts of one SeriesInstanceUID, each with a notice on the others.

    Only one series of a study is analysed. Where its slices are a part of what the scanner made,
    the reader of its report must know, with the range that was not looked at.

    Args:
        parts: The series of one SeriesInstanceUID.
    """
    slices = [part for part in parts if _planes(part) and not _is_other_kind(part)]
    if len(slices) < 2:
        return list(parts)
    return [
        part.with_grouping_notices(_notice(part, [other for other in slices if other is not part]))
        if part.readable and any(part is other for other in slices)
        else part
        for part in parts
    ]


def _is_other_kind(part: Series) -> bool:
    return part.rejection is not None and part.rejection.reason in _OTHER_KINDS


def _notice(part: Series, others: Sequence[Series]) -> Notice:
    words = []
    for other in others:
        planes = _planes(other)
        low, high = _range_mm(planes)
        noun = "slice" if len(planes) == 1 else "slices"
        words.append(
            f"{len(planes)} {noun} at z {low:.1f} to {high:.1f} mm (other "
            f"{difference(_planes(part), planes)})"
        )
    message = f"Left out, though under the same SeriesInstanceUID: {'; '.join(words)}"
    every = [plane for other in others for plane in _planes(other)]
    low, high = _range_mm(every)
    numbers = {
        "parts": len(others),
        "slices": len(every),
        "from_z_mm": round(low, 2),
        "to_z_mm": round(high, 2),
    }
    return Notice(NoticeCode.HEADER_CONFLICT, message, numbers)


def _planes(part: Series) -> list[Plane]:
    """Intact slices; a damaged one that fills no hole lies where an intact one is."""
    return [
        Plane(instance, frame)
        for instance in part.instances
        if isinstance(instance, Instance) and instance.damage is None
        for frame in instance.frames
        if frame.position_mm is not None
    ]


def _range_mm(planes: Sequence[Plane]) -> tuple[float, float]:
    heights = [plane.frame.position_mm[2] for plane in planes if plane.frame.position_mm]
    return min(heights), max(heights)
