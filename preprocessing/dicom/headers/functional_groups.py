"""Functional groups: where an enhanced multi-frame instance keeps what differs between frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.preprocessing.dicom.headers.values import Elements

FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
"""The elements that `macros_of_frames` needs."""


def macros_of_frames(
    elements: Elements, count: int, keywords: Sequence[str]
) -> list[dict[str, Elements]]:
    """Returns the macros of each frame by keyword: its own, else those that all frames share.

    Source: PS3.3, C.7.6.16. Of each macro the first item is taken.

    Args:
        elements: The instance's data set, with the elements of `FUNCTIONAL_GROUPS`.
        count: Number of frames; 1 for a classic instance, which has no macros.
        keywords: The macros that are wanted, by the keywords of their sequences.
    """
    shared, per_frame = (elements.items(keyword) for keyword in FUNCTIONAL_GROUPS)
    common = _macros(shared[0], keywords) if shared else {}
    own = [_macros(group, keywords) for group in per_frame[:count]]
    own += [{}] * (count - len(own))
    return [{**common, **macros} for macros in own]


def _macros(group: Elements, keywords: Sequence[str]) -> dict[str, Elements]:
    return {keyword: items[0] for keyword in keywords if (items := group.items(keyword))}
