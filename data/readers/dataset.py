"""What every data set tells: what can be prepared, whose it is, and what is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from hounsfield.preprocessing.codes import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.preprocessing.discovery import Discovery
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.series import Series

UNKNOWN_DIAMETER_MM = 10.0
"""Of places without a size; what LUNA16's protocol takes for them."""


class ExcludedCase(BaseModel):
    """Something of a source that is not prepared.

    Attributes:
        name: A series UID, or a file.
        reason: A reason code of series, or ``no_labels``, ``series_missing``, ``held_out``.
        failed: Whether something is wrong with it; else it is only not wanted.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    reason: str
    message: str
    failed: bool


class CaseSource(Protocol):
    """Something of a data set that can be prepared: a series, a phantom, a single nodule."""

    @property
    def series_uid(self) -> str:
        """What the case is called; no two cases of a data set are called alike."""

    @property
    def patient_id(self) -> str:
        """What splits are made by."""

    @property
    def fold(self) -> int | None:
        """The data set's own subset, from 0; None where it has none."""

    @property
    def fingerprint(self) -> str:
        """Changes when what `make` gives does; found without reading any voxel."""

    def make(self) -> PreparedCase:
        """Prepares it.

        Raises:
            SeriesError: It cannot be read, or its labels do not fit.
        """


@dataclass(frozen=True, slots=True)
class DatasetContents:
    """What lies in a source: cases to prepare, and what is left out before any voxel is read."""

    cases: Sequence[CaseSource]
    left_out: Sequence[ExcludedCase] = ()


def usable_ct(found: Discovery) -> tuple[list[Series], list[ExcludedCase]]:
    """Parts the CT series that can be read from what is damaged.

    Files and series of other kinds (tables, PET, segmentations, localizers) are passed over in
    silence: data sets are full of them.
    """
    usable = [series for series in found.series if series.rejection is None]
    left_out = [
        _left_out(series.facts.series_uid, series.rejection)
        for series in found.series
        if series.rejection is not None and _worth_telling(series.rejection.reason)
    ]
    left_out += [
        ExcludedCase(name=one.path, reason=one.reason, message=one.message, failed=True)
        for one in found.skipped_files
        if _worth_telling(one.reason)
    ]
    return usable, left_out


def failure(name: str, error: SeriesError) -> ExcludedCase:
    """What is told of a series that could not be prepared."""
    return _left_out(name, error)


def missing_series(source: Path, uids: Iterable[str], *, what: str) -> list[ExcludedCase]:
    """What is told, in one sentence, of series that labels name and that are not there."""
    missing = sorted(uids)
    if not missing:
        return []
    msg = (
        f"{what} name {len(missing)} series that are not in the source (the first: {missing[0]}): "
        "download more and prepare again, if they are wanted"
    )
    return [ExcludedCase(name=str(source), reason="series_missing", message=msg, failed=False)]


def _left_out(name: str, error: SeriesError) -> ExcludedCase:
    failed = error.reason.verdict is Verdict.FAILED
    return ExcludedCase(name=name, reason=error.reason, message=error.message, failed=failed)


def _worth_telling(reason: Reason) -> bool:
    return reason.verdict is Verdict.FAILED or reason is Reason.DUPLICATE_SERIES
