"""What `hounsfield inspect` shows: what is in the inputs, and what a run would make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hounsfield.pipeline.report.schema import NoticeDocument
from hounsfield.preprocessing.codes import Reason, Verdict
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.printable_path import printable_path
from hounsfield.preprocessing.quality.assess import assess_quality
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.selection import KernelChoice, Ranked, by_study, rank_series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.discovery import SkippedFile
    from hounsfield.preprocessing.series import Series

INSPECTION_VERSION = 1


class InspectionRow(BaseModel):
    """One series, or one file that belongs to no series (without identifiers then)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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


def inspect(
    inputs: Sequence[Path],
    *,
    read_pixels: bool = True,
    kernel: KernelChoice = "soft",
    on_file: Callable[[int], None] | None = None,
    on_series: Callable[[Series], None] | None = None,
) -> list[InspectionRow]:
    """Finds and judges every series in the inputs, as a run would.

    Args:
        inputs: Files and folders.
        read_pixels: Whether each study's best series is read and its lungs found, so that the
            verdict is the run's own and the quality notices are there. Else headers decide.
        kernel: Which reconstruction kernel a run would want.
        on_file: Called with the number of files looked at so far.
        on_series: Called with each series before its pixels are read.

    Raises:
        UsageError: An input does not exist.
    """
    found = discover(inputs, progress=on_file)
    rows: list[InspectionRow] = []
    for series_of_study in by_study(found.series).values():
        ranked = rank_series(series_of_study, kernel=kernel)
        rows += _study_rows(ranked, _read_notices if read_pixels else _header_notices, on_series)
    rows += [_file_row(one) for one in found.skipped_files]
    return sorted(rows, key=lambda row: (row.path, row.series_uid or ""))


def as_json(rows: Sequence[InspectionRow]) -> str:
    """The rows as a JSON list."""
    adapter = TypeAdapter(list[InspectionRow])
    return adapter.dump_json(list(rows), indent=2).decode()


def _study_rows(
    ranked: Sequence[Ranked],
    notices_of: Callable[[Series], tuple[Notice, ...]],
    on_series: Callable[[Series], None] | None,
) -> Iterator[InspectionRow]:
    """Takes the best series that does not fail, as a run does."""
    is_chosen = False
    for series, rejection in ranked:
        left_out = rejection is not None and rejection.reason is not Reason.BETTER_SERIES_CHOSEN
        if left_out or is_chosen:
            yield _series_row(series, rejection, series.notices)
            continue
        if on_series is not None:
            on_series(series)
        try:
            notices = notices_of(series)
        except SeriesError as error:
            yield _series_row(series, error, series.notices)
        else:
            is_chosen = True
            yield _series_row(series, None, notices)


def _header_notices(series: Series) -> tuple[Notice, ...]:
    return series.notices


def _read_notices(series: Series) -> tuple[Notice, ...]:
    """Goes as far as a run does before the networks.

    Raises:
        SeriesError: As a run would meet it.
    """
    volume = read_volume(series)
    return (*volume.notices, *assess_quality(volume, find_lungs(volume)))


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
        message=rejection.message if rejection else "",
        notices=tuple(NoticeDocument.model_validate(notice.as_json()) for notice in notices),
        shape_zyx=series.shape_zyx,
        spacing_mm=series.spacing_mm,
        orientation=series.orientation,
        description=series.facts.series_description,
        chosen=rejection is None,
    )


def _file_row(one: SkippedFile) -> InspectionRow:
    return InspectionRow(
        path=one.path, verdict=one.reason.verdict, reason=one.reason, message=one.message
    )
