"""A prepared folder while it is filled: its cases, its tables, and what is there from before."""

from __future__ import annotations

import csv
import io
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from hounsfield.data.prepared.case import (
    FORM_VERSION,
    CaseFacts,
    load_facts,
    remove_case,
    save_case,
)
from hounsfield.data.prepared.splits import (
    FOLDS,
    SPLIT_FILE,
    SplitEntry,
    SplitManifest,
    check_no_leak,
    patient_fold,
    read_split,
)
from hounsfield.data.readers.dataset import ExcludedCase
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from hounsfield.data.readers.dataset import CaseSource

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


class PreparationReport(BaseModel):
    """What became of a source: the content of ``preparation.json``.

    Attributes:
        prepared: Cases made anew.
        kept: Cases that were there from before, their files unchanged.
        nodules: Findings to be found, over all series in the folder.
        ignored: Places that are neither to be found nor empty.
        left_out: What is not prepared, and why.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    dataset: str
    prepared: int
    kept: int
    patients: int
    nodules: int
    ignored: int
    left_out: tuple[ExcludedCase, ...]

    @property
    def failed(self) -> tuple[ExcludedCase, ...]:
        """What is wrong with the source."""
        return tuple(one for one in self.left_out if one.failed)


class PreparedFolder:
    """A prepared folder while it is filled.

    Args:
        out: The folder, made where it is missing.
        dataset: What it holds.

    Raises:
        UsageError: It holds another data set.
        OSError: It cannot be written.
    """

    def __init__(self, out: Path, dataset: str) -> None:
        self._out, self._dataset = out, dataset
        self._facts: dict[str, CaseFacts] = {}
        self._folds: dict[str, int] = {}
        self._uid_of_voxels: dict[str, str] = {}
        (out / "cases").mkdir(parents=True, exist_ok=True)
        for leftover in (out / "cases").glob(".*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)
        for entry in self._entries_before():
            if (facts := _readable_facts(out / entry.case)) is not None:
                self._know(entry.series_uid, facts, entry.fold)

    def take(self, source: CaseSource) -> Literal["prepared", "kept"]:
        """Prepares a case, or keeps what is there of it.

        Raises:
            SeriesError: It cannot be read, its labels do not fit, or it is a copy of another.
            OSError: The folder cannot be written.
        """
        uid, patient_id = source.series_uid, source.patient_id
        folder = self._out / _case_name(uid)
        fingerprint = f"{FORM_VERSION} {source.fingerprint}"
        facts = self._facts.get(uid) or _readable_facts(folder)
        result: Literal["prepared", "kept"] = "kept"
        if facts is None or facts.origin.fingerprint != fingerprint:
            case = source.make()
            self._refuse_copy(uid, patient_id, case.origin.voxels_sha256)
            save_case(replace(case, origin=replace(case.origin, fingerprint=fingerprint)), folder)
            facts, result = load_facts(folder), "prepared"
        else:
            self._refuse_copy(uid, patient_id, facts.origin.voxels_sha256)
        self._know(uid, facts, patient_fold(patient_id) if source.fold is None else source.fold)
        return result

    def drop(self, uid: str) -> None:
        """Takes out a case that is not wanted (any more)."""
        self._facts.pop(uid, None)
        remove_case(self._out / _case_name(uid))

    def close(self, made: Mapping[str, int], left_out: Sequence[ExcludedCase]) -> PreparationReport:
        """Writes the tables, each whole or not at all, and makes the report."""
        known = dict(sorted(self._facts.items()))
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
                for uid, facts in known.items()
            ),
        )
        check_no_leak(manifest.series)
        findings = [finding for facts in known.values() for finding in facts.findings]
        ignored = sum(finding.ignored for finding in findings)
        report = PreparationReport(
            dataset=self._dataset,
            prepared=made["prepared"],
            kept=made["kept"],
            patients=len({facts.patient_id for facts in known.values()}),
            nodules=len(findings) - ignored,
            ignored=ignored,
            left_out=tuple(sorted(left_out, key=lambda one: (not one.failed, one.name))),
        )
        _write(self._out / "findings.csv", _findings_table(known.values()))
        _write(self._out / SPLIT_FILE, manifest.model_dump_json(indent=1))
        _write(self._out / "preparation.json", report.model_dump_json(indent=1))
        return report

    def _entries_before(self) -> tuple[SplitEntry, ...]:
        """What an earlier call prepared; nothing where its split is damaged: it is made anew."""
        try:
            manifest = read_split(self._out)
        except UsageError:
            return ()
        if manifest.dataset != self._dataset:
            msg = f"{self._out} holds {manifest.dataset}; choose another --out for {self._dataset}"
            raise UsageError(msg)
        return manifest.series

    def _know(self, uid: str, facts: CaseFacts, fold: int) -> None:
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


def _readable_facts(folder: Path) -> CaseFacts | None:
    """A case's facts; None where there is no whole case of this version."""
    try:
        return load_facts(folder)
    except UsageError:
        return None


def _findings_table(cases: Iterable[CaseFacts]) -> str:
    """A row a finding, LPS mm; a cell is empty where nothing is known."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(FINDINGS_COLUMNS)
    for case in cases:
        for finding in case.findings:
            place = (round(value, 3) for value in finding.centre_world_mm)
            rows.writerow(
                (
                    case.series_uid,
                    case.patient_id,
                    *place,
                    round(finding.diameter_mm, 3),
                    int(finding.ignored),
                    finding.histology,
                    finding.readers or "",
                    finding.malignancy,
                    finding.texture,
                    finding.spiculation,
                    finding.calcification,
                )
            )
    return stream.getvalue()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
