"""A prepared folder that is being filled: its cases, its tables, and earlier cases that stay."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from hounsfield.data.prepared.case import (
    CaseFacts,
    load_case,
    load_facts,
    remove_case,
    save_case,
)
from hounsfield.data.prepared.case_source import ExcludedCase
from hounsfield.data.prepared.splits import (
    FOLDS,
    SPLIT_FILE,
    SplitEntry,
    SplitManifest,
    check_no_leak,
    patient_fold,
    read_split,
)
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.documents import Strict
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.files.csv_files import csv_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case_source import CaseSource
    from hounsfield.data.prepared.held_out import HeldOutPatients

CONTENT_VERSION = 2
"""Rises when the same files give other arrays or findings; earlier cases are prepared again."""

FINDINGS_COLUMNS = (
    "series_uid",
    "patient_id",
    "x_mm",
    "y_mm",
    "z_mm",
    "diameter_mm",
    "ignored",
    "histology",
    "readers",
    "malignancy",
    "texture",
    "spiculation",
    "calcification",
)


class PreparationReport(Strict):
    """The outcome of a preparation: the content of ``preparation.json``.

    Attributes:
        prepared: Number of cases that were prepared by this call.
        kept: Number of earlier cases whose files and labels are unchanged.
        patients: Number of patients in the folder.
        nodules: Number of findings that are to be found, over all series in the folder.
        ignored: Number of findings that are neither to be found nor empty places.
        replaced: A sentence for each earlier case that was damaged and is prepared again; these
            are counted in `prepared`.
        excluded: Cases that are not prepared, with the reason.
    """

    version: Literal[2] = 2
    dataset: str
    prepared: int
    kept: int
    patients: int
    nodules: int
    ignored: int
    replaced: tuple[str, ...] = ()
    excluded: tuple[ExcludedCase, ...]

    @property
    def failed(self) -> tuple[ExcludedCase, ...]:
        """Excluded cases whose files or labels are faulty."""
        return tuple(case for case in self.excluded if case.failed)


class PreparedFolder:
    """A prepared folder that is being filled.

    Args:
        out: The folder, created where it is missing.
        dataset: Name of the data set that it holds.

    Raises:
        UsageError: It holds another data set.
        OSError: It cannot be written.
    """

    def __init__(self, out: Path, dataset: str) -> None:
        self._out, self._dataset = out, dataset
        self._facts: dict[str, CaseFacts] = {}
        self._folds: dict[str, int] = {}
        self._uid_of_voxels: dict[str, str] = {}
        self._damaged: dict[str, str] = {}
        self._replaced: list[str] = []
        self._prepared = self._kept = 0
        (out / "cases").mkdir(parents=True, exist_ok=True)
        for leftover in (out / "cases").glob(".*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)
        for entry in self._earlier_entries():
            facts = self._intact_facts(entry.series_uid, out / entry.case)
            if facts is not None:
                self._add(entry.series_uid, facts, entry.fold)

    def take(self, source: CaseSource) -> None:
        """Prepares a case, or keeps an earlier one that is intact and unchanged.

        Raises:
            SeriesError: It cannot be read, its labels do not fit, or it is a copy of another.
            OutputError: The folder cannot be written.
        """
        uid, patient_id = source.series_uid, source.patient_id
        folder = self._out / _case_name(uid)
        fingerprint = f"{CONTENT_VERSION} {source.fingerprint}"
        facts = self._facts.get(uid) or self._intact_facts(uid, folder)
        if facts is None or facts.origin.fingerprint != fingerprint:
            case = source.make()
            self._refuse_copy(uid, patient_id, case.origin.voxels_sha256)
            save_case(replace(case, origin=replace(case.origin, fingerprint=fingerprint)), folder)
            facts = load_facts(folder)
            self._prepared += 1
        else:
            self._refuse_copy(uid, patient_id, facts.origin.voxels_sha256)
            self._kept += 1
        if uid in self._damaged:
            self._replaced.append(self._damaged.pop(uid))
        self._add(uid, facts, patient_fold(patient_id) if source.fold is None else source.fold)

    def drop(self, uid: str) -> None:
        """Removes a case that is excluded now."""
        self._facts.pop(uid, None)
        self._damaged.pop(uid, None)
        remove_case(self._out / _case_name(uid))

    def drop_patients(self, patients: HeldOutPatients) -> None:
        """Removes the earlier cases of held-out patients, whether their sources exist or not."""
        for uid in [uid for uid, facts in self._facts.items() if facts.patient_id in patients]:
            self.drop(uid)

    def close(self, excluded: Sequence[ExcludedCase]) -> PreparationReport:
        """Writes the tables, each atomically, and makes the report.

        Raises:
            UsageError: The split leaks.
            OutputError: The folder cannot be written.
        """
        facts_of = dict(sorted(self._facts.items()))
        manifest = SplitManifest(
            dataset=self._dataset,
            folds=FOLDS,
            series=tuple(
                SplitEntry(
                    series_uid=uid,
                    patient_id=facts.patient_id,
                    case=_case_name(uid),
                    voxels_sha256=facts.origin.voxels_sha256,
                    fold=self._folds[uid],
                    source_series_uid=facts.origin.source_series_uid,
                )
                for uid, facts in facts_of.items()
            ),
        )
        check_no_leak(manifest.series)
        outside = (
            ExcludedCase(name=uid, reason="label_outside", message=sentence, failed=True)
            for uid, facts in facts_of.items()
            for sentence in facts.left_out
        )
        report = self._report([*excluded, *outside, *map(_lost, self._damaged.items())])
        _write(self._out / "findings.csv", _findings_table(facts_of.values()))
        _write(self._out / SPLIT_FILE, manifest.model_dump_json(indent=1))
        _write(self._out / "preparation.json", report.model_dump_json(indent=1))
        return report

    def _report(self, excluded: Sequence[ExcludedCase]) -> PreparationReport:
        findings = [finding for facts in self._facts.values() for finding in facts.findings]
        ignored = sum(finding.ignored for finding in findings)
        return PreparationReport(
            dataset=self._dataset,
            prepared=self._prepared,
            kept=self._kept,
            patients=len({facts.patient_id for facts in self._facts.values()}),
            nodules=len(findings) - ignored,
            ignored=ignored,
            replaced=tuple(self._replaced),
            excluded=tuple(sorted(excluded, key=lambda case: (not case.failed, case.name))),
        )

    def _earlier_entries(self) -> tuple[SplitEntry, ...]:
        """The cases of an earlier call; none where its split is missing or damaged."""
        try:
            manifest = read_split(self._out)
        except UsageError:
            return ()
        if manifest.dataset != self._dataset:
            msg = f"{self._out} holds {manifest.dataset}; choose another --out for {self._dataset}"
            raise UsageError(msg)
        return manifest.series

    def _intact_facts(self, uid: str, folder: Path) -> CaseFacts | None:
        """Facts of a case whose files are all intact; a damaged one is remembered as such."""
        if not folder.exists():
            return None
        try:
            load_case(folder)
            return load_facts(folder)
        except UsageError as error:
            self._damaged[uid] = str(error)
            return None

    def _add(self, uid: str, facts: CaseFacts, fold: int) -> None:
        self._facts[uid], self._folds[uid] = facts, fold
        self._uid_of_voxels[facts.origin.voxels_sha256] = uid

    def _refuse_copy(self, uid: str, patient_id: str, voxels_sha256: str) -> None:
        other_uid = self._uid_of_voxels.get(voxels_sha256, uid)
        other = self._facts.get(other_uid)
        if other is None or other_uid == uid or other.origin.voxels_sha256 != voxels_sha256:
            return
        msg = (
            f"{uid} of {patient_id} has the same voxels as {other_uid} of "
            f"{other.patient_id}, which is prepared"
        )
        raise SeriesError(Reason.DUPLICATE_SERIES, msg)


def _case_name(uid: str) -> str:
    return f"cases/{re.sub(r'[^A-Za-z0-9._-]', '_', uid)}"


def _lost(damaged: tuple[str, str]) -> ExcludedCase:
    """An earlier case that is damaged and whose source is not among those of this call."""
    uid, message = damaged
    return ExcludedCase(name=uid, reason=Reason.UNREADABLE, message=message, failed=True)


def _findings_table(cases: Iterable[CaseFacts]) -> str:
    """One row per finding, in LPS mm; unknown values are empty cells."""
    rows = (
        (
            case.series_uid,
            case.patient_id,
            *(round(coordinate, 3) for coordinate in finding.centre_world_mm),
            round(finding.diameter_mm, 3),
            int(finding.ignored),
            finding.histology,
            finding.readers or "",
            finding.malignancy,
            finding.texture,
            finding.spiculation,
            finding.calcification,
        )
        for case in cases
        for finding in case.findings
    )
    return csv_text(FINDINGS_COLUMNS, rows)


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
