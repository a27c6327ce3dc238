"""``hounsfield inspect``: lists the series of an input and what a run would do with each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, TypeAdapter

from hounsfield.pipeline.analysis.examination import find_chest
from hounsfield.pipeline.analysis.timing import StageTimer
from hounsfield.pipeline.report.schema import NoticeDocument
from hounsfield.preprocessing.codes import Reason, Verdict
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.documents import Strict
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.printable import printable_path
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.selection import KernelChoice, Ranked, by_study, rank_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.discovery import SkippedFile
    from hounsfield.preprocessing.series import Series

INSPECTION_VERSION = 1


class InspectionRow(Strict):
    """One series, or one file that belongs to no series (without identifiers then)."""

    version: int = INSPECTION_VERSION
    path: str = Field(description="File, archive or folder; `zip!member` inside an archive.")
    study_uid: str | None = None
    series_uid: str | None = None
    verdict: Verdict
    reason: Reason | None = None
    message: str = Field(default="", description="The reason in one sentence.")
    notices: tuple[NoticeDocument, ...] = ()
    shape_zyx: tuple[int, int, int] | None = Field(
        default=None, description="Slices, rows, columns."
    )
    spacing_mm: tuple[float, float, float] | None = Field(
        default=None, description="Along x, y, z of the array."
    )
    orientation: str = Field(default="", description="axial, sagittal, coronal, oblique or empty.")
    description: str = Field(default="", description="SeriesDescription.")
    chosen: bool = Field(default=False, description="Whether a run would analyse it.")


def notices_from_headers(series: Series) -> tuple[Notice, ...]:
    """Return the notices that the headers of a series give rise to.

    Args:
        series: The series, known from its headers.

    Returns:
        Notices in the order in which they arose; no pixels are read.
    """
    return series.notices


def notices_from_pixels(series: Series) -> tuple[Notice, ...]:
    """Read a series, find its lungs and assess its quality, as a run does before the networks.

    Args:
        series: The series, known from its headers.

    Returns:
        Every notice that a run would report about the series.

    Raises:
        SeriesError: The series cannot be analysed; the error's code says why.
    """
    return find_chest(read_volume(series), timer=StageTimer()).notices


def inspect(
    inputs: Sequence[Path],
    *,
    kernel: KernelChoice = "soft",
    on_file: Callable[[int], None] | None = None,
    on_series: Callable[[Series], None] | None = None,
    notices_of: Callable[[Series], tuple[Notice, ...]] = notices_from_pixels,
) -> list[InspectionRow]:
    """Find every series in the inputs and decide, as a run would, what to do with it.

    Args:
        inputs: Files, folders and archives, in any mixture.
        kernel: Preferred reconstruction kernel where a study has several.
        on_file: Called with the number of files examined so far.
        on_series: Called with each series before its notices are asked for.
        notices_of: Returns a series' notices, or raises `SeriesError`: `notices_from_pixels` goes
            as far as a run does before the networks, `notices_from_headers` reads no pixels.

    Returns:
        One row a series, and one for each file that belongs to none, by path.

    Raises:
        UsageError: An input does not exist.
    """
    discovery = discover(inputs, progress=on_file)
    rows: list[InspectionRow] = []
    for series_of_study in by_study(discovery.series).values():
        ranked = rank_series(series_of_study, kernel=kernel)
        rows += _study_rows(ranked, notices_of, on_series)
    rows += [_file_row(file) for file in discovery.skipped_files]
    return sorted(rows, key=lambda row: (row.path, row.series_uid or ""))


def as_json(rows: Sequence[InspectionRow]) -> str:
    """Format rows as a JSON list.

    Args:
        rows: Rows from `inspect`, in the order to print.

    Returns:
        Indented JSON; see docs/schemas/inspection-1.json.
    """
    adapter = TypeAdapter(list[InspectionRow])
    return adapter.dump_json(list(rows), indent=2).decode()


def _study_rows(
    ranked: Sequence[Ranked],
    notices_of: Callable[[Series], tuple[Notice, ...]],
    on_series: Callable[[Series], None] | None,
) -> Iterator[InspectionRow]:
    """Choose the best series that does not fail, as a run does."""
    is_chosen = False
    for series, rejection in ranked:
        excluded = rejection is not None and rejection.reason is not Reason.BETTER_SERIES_CHOSEN
        if excluded or is_chosen:
            yield _series_row(series, rejection, series.notices)
            continue
        if on_series is not None:
            on_series(series)
        try:
            with as_series_error(series.path, "The series", reason=Reason.INTERNAL):
                notices = notices_of(series)
        except SeriesError as error:
            yield _series_row(series, error, series.notices)
        else:
            is_chosen = True
            yield _series_row(series, None, notices)


def _series_row(
    series: Series, rejection: SeriesError | None, notices: tuple[Notice, ...]
) -> InspectionRow:
    if rejection is not None:
        verdict = rejection.reason.verdict
    else:
        verdict = Verdict.ANALYSED_WITH_NOTICES if notices else Verdict.ANALYSED
    return InspectionRow(
        path=printable_path(series.path),
        study_uid=series.facts.study_uid,
        series_uid=series.facts.series_uid,
        verdict=verdict,
        reason=rejection.reason if rejection else None,
        message=rejection.sentence_for(series.path) if rejection else "",
        notices=tuple(NoticeDocument.model_validate(notice.as_json()) for notice in notices),
        shape_zyx=series.shape_zyx,
        spacing_mm=series.spacing_mm,
        orientation=series.orientation,
        description=series.facts.series_description,
        chosen=rejection is None,
    )


def _file_row(file: SkippedFile) -> InspectionRow:
    return InspectionRow(
        path=file.path, verdict=file.reason.verdict, reason=file.reason, message=file.message
    )
