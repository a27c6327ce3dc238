"""The work plan of a run: the studies of its input, each with its series, the best first."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.pipeline.batch.ledger import Row
from hounsfield.pipeline.batch.prior_studies import find_priors
from hounsfield.pipeline.batch.series_names import SeriesNames, series_identity
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.walk import impossible_path, require_reachable
from hounsfield.preprocessing.printable import printable_path
from hounsfield.preprocessing.selection import KernelChoice, by_study, rank_series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.pipeline.batch.ledger import Ledger
    from hounsfield.preprocessing.discovery import SkippedFile
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.series import Series


@dataclass(frozen=True, slots=True)
class PlannedSeries:
    """A series that may be analysed.

    Attributes:
        series: The series, known from its headers.
        part: From 1; distinguishes series with the same path and identifiers.
        folder: Folder of its report, inside the output folder.
        input_stamp: Changes when its files do, or those of the study that it is compared with.
        not_first_reason: Why another series of the study is preferred; empty for the best.
        prior: The earlier study to compare with; None where the input has none.
    """

    series: Series
    part: int
    folder: str
    input_stamp: str
    not_first_reason: str
    prior: Prior | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its key in the ledger."""
        return (*series_identity(self.series), self.part)


@dataclass(frozen=True, slots=True)
class Plan:
    """The studies of an input.

    Attributes:
        studies: The series of each study that may be analysed, the best first.
        excluded: Ledger rows of every series and file that will not be analysed.
    """

    studies: tuple[tuple[PlannedSeries, ...], ...]
    excluded: tuple[Row, ...]


def make_plan(
    inputs: Sequence[Path],
    *,
    kernel: KernelChoice,
    out: Path | None = None,
    ledger: Ledger | None = None,
    compare_with_prior: bool = False,
    on_file: Callable[[int], None] | None = None,
) -> Plan:
    """Find every series in the inputs and rank those of each study.

    Args:
        inputs: Files, folders and archives, in any mixture.
        kernel: Preferred reconstruction kernel where a study has several.
        out: Output folder of the run; where a link in the input leads to it, it is not examined.
        ledger: What the output folder holds; a series never gets the folder or the row of the
            results of other images. None for an empty output folder.
        compare_with_prior: Whether to look for earlier studies of the same patients.
        on_file: Called with the number of files examined so far.

    Returns:
        The studies to analyse, and rows for everything else.

    Raises:
        UsageError: An input does not exist.
    """
    discovery = discover([path.absolute() for path in inputs], exclude=out, progress=on_file)
    names = SeriesNames(ledger)
    studies: list[tuple[PlannedSeries, ...]] = []
    excluded = [_skipped(file) for file in discovery.skipped_files]
    for series_of_study in by_study(discovery.series).values():
        planned: list[PlannedSeries] = []
        for series, rejection in rank_series(series_of_study, kernel=kernel):
            part = names.part(series)
            if rejection is None or rejection.reason is Reason.BETTER_SERIES_CHOSEN:
                preferred = rejection.message if rejection else ""
                folder = names.folder(series)
                planned.append(PlannedSeries(series, part, folder, input_stamp(series), preferred))
            else:
                excluded.append(_rejected(series, part, rejection))
        if planned:
            studies.append(tuple(planned))
    if compare_with_prior:
        studies = _with_priors(studies)
    return Plan(tuple(studies), tuple(excluded))


def require_separate_folders(inputs: Sequence[Path], out: Path) -> None:
    """Refuse an output folder that would put files beside the input.

    Args:
        inputs: Files and folders that will be read.
        out: Output folder, which need not exist.

    Raises:
        UsageError: The output folder is an input, or one lies inside the other; or one of the
            paths is none that the system can follow.
    """
    for path in inputs:
        require_reachable(path)
    place = _followed(out)
    for path in inputs:
        real = path.resolve()
        if place.is_relative_to(real) or real.is_relative_to(place):
            msg = f"--out {out} must be apart from the input {path}; choose another folder"
            raise UsageError(msg)


def _followed(out: Path) -> Path:
    """The output folder without links in its path."""
    try:
        out.stat()
        return out.resolve()
    except FileNotFoundError:
        return out.resolve()
    except ValueError as error:
        raise impossible_path(out) from error
    except (OSError, RuntimeError) as error:  # too long a name; pathlib's own loop of links
        if isinstance(error, OSError) and error.errno not in {errno.ELOOP, errno.ENAMETOOLONG}:
            return out.absolute()  # not a folder, forbidden: creating it says so
        cause = getattr(error, "strerror", None) or "it is a loop of links"
        msg = f"--out {out} cannot be a folder: {cause}; choose another one"
        raise UsageError(msg) from error


def input_stamp(series: Series) -> str:
    """Hash the names, sizes and dates of a series' files, not their content.

    Args:
        series: The series, known from its headers.

    Returns:
        A hash in hexadecimal digits; a file that is gone counts by its name alone.
    """
    digest = hashlib.sha256()
    for source in series.sources:
        digest.update(str(source).encode())
    for path in sorted({source.path for source in series.sources}):
        try:
            status = path.stat()
        except OSError:  # gone since; reading it will say so
            continue
        digest.update(f"{status.st_size} {status.st_mtime_ns} ".encode())
    return digest.hexdigest()


def _with_priors(studies: list[tuple[PlannedSeries, ...]]) -> list[tuple[PlannedSeries, ...]]:
    """Add to each study the earlier one to compare with, whose files count as its input too."""
    stamps = {id(p.series): p.input_stamp for study in studies for p in study}
    priors = find_priors([[planned.series for planned in study] for study in studies])
    result = []
    for study, prior in zip(studies, priors, strict=True):
        if prior is None:
            result.append(study)
            continue
        theirs = [f"{prior.days} {prior.reason}", *(stamps[id(s)] for s in prior.series)]
        result.append(
            tuple(
                replace(planned, prior=prior, input_stamp=_joined([planned.input_stamp, *theirs]))
                for planned in study
            )
        )
    return result


def _joined(stamps: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(stamps).encode()).hexdigest()


def _skipped(file: SkippedFile) -> Row:
    return Row(
        path=file.path,
        study_uid="",
        series_uid="",
        part=1,
        verdict=file.reason.verdict.value,
        reason=file.reason.value,
        message=file.message,
    )


def _rejected(series: Series, part: int, rejection: SeriesError) -> Row:
    return Row(
        path=printable_path(series.path),
        study_uid=series.facts.study_uid,
        series_uid=series.facts.series_uid,
        part=part,
        verdict=rejection.reason.verdict.value,
        reason=rejection.reason.value,
        message=rejection.sentence_for(series.path),
        notices=",".join(notice.code.value for notice in series.notices),
        content_id=series.content_id,
    )
