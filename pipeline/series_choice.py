"""Chooses the one series of an input: by its UID, or the one that a run would analyse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.selection import KernelChoice, by_study, rank_series

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.preprocessing.series import Series

MAX_NAMED = 5
"""A message names so many UIDs at most."""


def choose_series(
    source: Path, *, series_uid: str | None = None, kernel: KernelChoice = "soft"
) -> tuple[Series, tuple[Series, ...]]:
    """Choose one series of an input.

    Args:
        source: A file, folder or archive.
        series_uid: Take this series, even one that a run would leave out but that can be read;
            None takes the one that a run would analyse.
        kernel: Preferred reconstruction kernel where a study has several.

    Returns:
        The chosen series, and every series of the input.

    Raises:
        UsageError: The input does not exist, holds no such series, or leaves a choice open.
    """
    every = tuple(discover([source]).series)
    if series_uid:
        return _by_uid(every, series_uid, source), every
    return _best(every, source, kernel), every


def _by_uid(every: Sequence[Series], series_uid: str, source: Path) -> Series:
    """The series of an identifier; of several copies the one that is not rejected."""
    same = [series for series in every if series.facts.series_uid == series_uid]
    if not same:
        uids = sorted({series.facts.series_uid for series in every})
        known = ", ".join(uids[:MAX_NAMED]) or "none"
        msg = f"{source} holds no series {series_uid!r}; it holds: {known}"
        raise UsageError(msg)
    return min(same, key=lambda series: (series.rejection is not None, not series.readable))


def _best(every: Sequence[Series], source: Path, kernel: KernelChoice) -> Series:
    """The one series that a run would analyse, or else the only one that can be read."""
    usable = [series for series in every if series.readable]
    if not usable:
        rejection = every[0].rejection if every else None
        cause = f": {rejection.sentence_for(every[0].path)}" if rejection else ""
        msg = f"{source} holds no series that can be read{cause}"
        raise UsageError(msg)
    ranked = [
        series
        for series_of_study in by_study(usable).values()
        for series, rejection in rank_series(series_of_study, kernel=kernel)[:1]
        if rejection is None
    ]
    candidates = ranked or [series for series in usable if not _is_duplicate(series)]
    if len(candidates) != 1:
        names = ", ".join(series.facts.series_uid for series in candidates[:MAX_NAMED])
        msg = (
            f"{source} holds {len(candidates)} series to choose from; name one by its UID: {names}"
        )
        raise UsageError(msg)
    return candidates[0]


def _is_duplicate(series: Series) -> bool:
    return series.rejection is not None and series.rejection.reason is Reason.DUPLICATE_SERIES
