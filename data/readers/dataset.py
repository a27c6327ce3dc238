"""The result of reading a data set: cases to prepare, and cases that are excluded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.preprocessing.codes import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case_source import CaseSource
    from hounsfield.preprocessing.discovery import Discovery
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.series import Series

UNKNOWN_DIAMETER_MM = 10.0
"""Assumed for findings without a size, as LUNA16's protocol does."""


@dataclass(frozen=True, slots=True)
class DatasetContents:
    """Cases of a source that can be prepared, and those excluded before any voxel is read."""

    cases: Sequence[CaseSource]
    excluded: Sequence[ExcludedCase] = ()


def usable_ct(discovery: Discovery) -> tuple[list[Series], list[ExcludedCase]]:
    """Separates readable chest CT series from damaged ones.

    Files and series of other kinds (tables, PET, segmentations, localizers) are skipped without
    a word: data sets are full of them.

    Args:
        discovery: All series and skipped files below a source.

    Returns:
        The usable series, and the damaged or duplicate series and files.
    """
    usable = [series for series in discovery.series if series.rejection is None]
    excluded = [
        excluded_by(series.facts.series_uid, series.rejection)
        for series in discovery.series
        if series.rejection is not None and _is_reported(series.rejection.reason)
    ]
    excluded += [
        ExcludedCase(name=file.path, reason=file.reason, message=file.message, failed=True)
        for file in discovery.skipped_files
        if _is_reported(file.reason)
    ]
    return usable, excluded


def excluded_by(name: str, error: SeriesError) -> ExcludedCase:
    """Turns an error into the record of an excluded case.

    Args:
        name: A series UID, or the path of a file.
        error: The reason for which it cannot be prepared.

    Returns:
        The record; `failed` follows from the verdict of the error's reason.
    """
    failed = error.reason.verdict is Verdict.FAILED
    message = error.sentence_for(name)  # led by the file's name where a label is at fault
    return ExcludedCase(name=name, reason=error.reason, message=message, failed=failed)


def missing_series(
    source: Path, place_of: Mapping[str, Path | str], *, what: str
) -> list[ExcludedCase]:
    """Reports series that labels name but the source lacks, in one sentence for all.

    Args:
        source: The folder in which the series were expected.
        place_of: The file or row of the label, by SeriesInstanceUID without a series.
        what: The labels that name them, as the plural subject of the sentence.

    Returns:
        One record; none where no series is missing.
    """
    missing = sorted(place_of)
    if not missing:
        return []
    msg = (
        f"{what} name {len(missing)} series that are not in the source (the first: {missing[0]}, "
        f"{place_of[missing[0]]}): download more and prepare again, if they are wanted"
    )
    return [ExcludedCase(name=str(source), reason="series_missing", message=msg, failed=False)]


def _is_reported(reason: Reason) -> bool:
    return reason.verdict is Verdict.FAILED or reason is Reason.DUPLICATE_SERIES
