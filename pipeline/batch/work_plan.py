"""What a run is going to do: the studies of its input, each with its series, the best first."""

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
        part: From 1; tells series with the same path and identifiers apart.
        folder: Of its report, inside the output folder.
        input_stamp: Changes when its files do, or those of the study that it is compared with.
        why_not_first: Why another series of the study is tried before; empty for the best.
        prior: The earlier study that it is compared with.
    """

    series: Series
    part: int
    folder: str
    input_stamp: str
    why_not_first: str
    prior: Prior | None = None

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Its key in the ledger."""
        facts = self.series.facts
        return (printable_path(self.series.path), facts.study_uid, facts.series_uid, self.part)


@dataclass(frozen=True, slots=True)
class Plan:
    """What was found in the input.

    Attributes:
        studies: For each study those of its series that may be analysed, the best first.
        left_out: The ledger rows of everything that is left out already.
    """

    studies: tuple[tuple[PlannedSeries, ...], ...]
    left_out: tuple[Row, ...]


def make_plan(
    inputs: Sequence[Path],
    *,
    kernel: KernelChoice,
    compare_with_prior: bool = False,
    on_file: Callable[[int], None] | None = None,
) -> Plan:
    """Finds every series under the inputs and ranks those of each study.

    Args:
        inputs: Files and folders.
        kernel: Which reconstruction kernel is wanted where there is a choice.
        compare_with_prior: Whether earlier studies of the same patients are looked for.
        on_file: Called with the number of files looked at so far.

    Raises:
        UsageError: An input does not exist.
    """
    found = discover([path.absolute() for path in inputs], progress=on_file)
    names = _Names()
    studies: list[tuple[PlannedSeries, ...]] = []
    left_out = [_passed_over(one) for one in found.skipped_files]
    for series_of_study in by_study(found.series).values():
        planned: list[PlannedSeries] = []
        for series, rejection in rank_series(series_of_study, kernel=kernel):
            part, folder = names.give(series)
            if rejection is None or rejection.reason is Reason.BETTER_SERIES_CHOSEN:
                why = rejection.message if rejection else ""
                planned.append(PlannedSeries(series, part, folder, input_stamp(series), why))
            else:
                left_out.append(_rejected(series, part, rejection))
        if planned:
            studies.append(tuple(planned))
    if compare_with_prior:
        studies = _with_priors(studies)
    return Plan(tuple(studies), tuple(left_out))


def require_separate_folders(inputs: Sequence[Path], out: Path) -> None:
    """Holds the rule that nothing is ever written beside the input.

    Raises:
        UsageError: The output folder is an input, lies inside one, or holds one right beside
            what would be written.
    """
    for path in inputs:
        beside = out.resolve() == path.resolve().parent
        if beside or out.resolve().is_relative_to(path.resolve()):
            msg = f"--out {out} must be a folder apart from the input {path}; choose another"
            raise UsageError(msg)


def input_stamp(series: Series) -> str:
    """Hashes the names, sizes and dates of a series' files, not their content."""
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
    """Gives each study the earlier one that it is compared with, which counts as its input too."""
    stamps = {id(one.series): one.input_stamp for study in studies for one in study}
    priors = find_priors([[one.series for one in study] for study in studies])
    result = []
    for study, prior in zip(studies, priors, strict=True):
        if prior is None:
            result.append(study)
            continue
        theirs = [f"{prior.days} {prior.reason}", *(stamps[id(one)] for one in prior.series)]
        result.append(
            tuple(
                replace(one, prior=prior, input_stamp=_joined([one.input_stamp, *theirs]))
                for one in study
            )
        )
    return result


def _joined(stamps: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(stamps).encode()).hexdigest()


class _Names:
    """Gives each series of a run a part number and a folder that no other one has."""

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


def _passed_over(one: SkippedFile) -> Row:
    return Row(
        path=one.path,
        study_uid="",
        series_uid="",
        part=1,
        verdict=one.reason.verdict.value,
        reason=one.reason.value,
        message=one.message,
    )


def _rejected(series: Series, part: int, rejection: SeriesError) -> Row:
    return Row(
        path=printable_path(series.path),
        study_uid=series.facts.study_uid,
        series_uid=series.facts.series_uid,
        part=part,
        verdict=rejection.reason.verdict.value,
        reason=rejection.reason.value,
        message=rejection.message,
        notices=",".join(notice.code.value for notice in series.notices),
    )
