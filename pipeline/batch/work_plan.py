"""The work plan of a run: the studies of its input, each with its series, the best first."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hounsfield.pipeline.batch.ledger import Row
from hounsfield.pipeline.batch.output_folder import folder_name
from hounsfield.pipeline.batch.prior_studies import find_priors
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.printable_path import printable_path
from hounsfield.preprocessing.selection import KernelChoice, by_study, rank_series

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hounsfield.pipeline.analysis.growth.prior import Prior
    from hounsfield.preprocessing.discovery import SkippedFile
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.series import Series

STUDIES_FOLDER = "studies"


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
        facts = self.series.facts
        return (printable_path(self.series.path), facts.study_uid, facts.series_uid, self.part)


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
    compare_with_prior: bool = False,
    on_file: Callable[[int], None] | None = None,
) -> Plan:
    """Find every series in the inputs and rank those of each study.

    Args:
        inputs: Files, folders and archives, in any mixture.
        kernel: Preferred reconstruction kernel where a study has several.
        compare_with_prior: Whether to look for earlier studies of the same patients.
        on_file: Called with the number of files examined so far.

    Returns:
        The studies to analyse, and rows for everything else.

    Raises:
        UsageError: An input does not exist.
    """
    discovery = discover([path.absolute() for path in inputs], progress=on_file)
    names = _Names()
    studies: list[tuple[PlannedSeries, ...]] = []
    excluded = [_skipped(file) for file in discovery.skipped_files]
    for series_of_study in by_study(discovery.series).values():
        planned: list[PlannedSeries] = []
        for series, rejection in rank_series(series_of_study, kernel=kernel):
            part, folder = names.give(series)
            if rejection is None or rejection.reason is Reason.BETTER_SERIES_CHOSEN:
                preferred = rejection.message if rejection else ""
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
        UsageError: The output folder is an input, lies inside one, or is the parent of one.
    """
    for path in inputs:
        beside = out.resolve() == path.resolve().parent
        if beside or out.resolve().is_relative_to(path.resolve()):
            msg = f"--out {out} must be apart from the input {path}; choose another folder"
            raise UsageError(msg)


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


class _Names:
    """Gives each series of a run its own part number and folder."""

    def __init__(self) -> None:
        self._keys: Counter[tuple[str, str, str]] = Counter()
        self._folders: Counter[str] = Counter()

    def give(self, series: Series) -> tuple[int, str]:
        facts = series.facts
        key = (printable_path(series.path), facts.study_uid, facts.series_uid)
        self._keys[key] += 1
        study, name = folder_name(facts.study_uid), folder_name(facts.series_uid)
        folder = f"{STUDIES_FOLDER}/{study}/{name}"
        self._folders[folder] += 1
        again = self._folders[folder]
        return self._keys[key], folder if again == 1 else f"{folder}-part{again}"


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
    )
