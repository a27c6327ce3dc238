"""A prepared folder while it is filled: its cases, its tables, and what is there from before."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import zipfile
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from data.datasets import LeftOut
from data.prepared import (
    FORM_VERSION,
    CaseFacts,
    CaseOrigin,
    PreparedCase,
    load_facts,
    save_case,
)
from data.splits import (
    FOLDS,
    SPLIT_FILE,
    SplitEntry,
    SplitManifest,
    check_no_leak,
    patient_fold,
    read_split,
)
from preprocessing.codes import Reason
from preprocessing.errors import SeriesError, UsageError
from preprocessing.lungs import find_lungs
from preprocessing.reading import read_volume
from preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from data.datasets import LabelledSeries
    from preprocessing.volume import Volume

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
)


class PreparationReport(BaseModel):
    """What became of a source: the content of ``preparation.json``.

    Attributes:
        prepared: Series made anew.
        kept: Series that were there from before, their files unchanged.
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
    left_out: tuple[LeftOut, ...]

    @property
    def failed(self) -> tuple[LeftOut, ...]:
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
        (out / "cases").mkdir(parents=True, exist_ok=True)
        for leftover in (out / "cases").glob(".*.partial"):
            leftover.unlink()
        for entry in self._entries_before():
            if (facts := _readable_facts(out / entry.case)) is not None:
                self._facts[entry.series_uid] = facts
                self._folds[entry.series_uid] = entry.fold

    def take(self, labelled: LabelledSeries) -> Literal["prepared", "kept"]:
        """Prepares a series, or keeps what is there of it.

        Raises:
            SeriesError: It cannot be read, its labels do not fit, or it is a copy of another.
            OSError: The folder cannot be written.
        """
        uid, path = labelled.series_uid, self._out / _case_name(labelled.series_uid)
        fingerprint = _fingerprint(labelled)
        facts = self._facts.get(uid) or _readable_facts(path)
        result: Literal["prepared", "kept"] = "kept"
        if facts is None or facts.origin.fingerprint != fingerprint:
            volume = read_volume(labelled.series)
            voxels = _voxels_sha256(volume)
            self._refuse_copy(uid, labelled.patient_id, voxels)
            case = PreparedCase(
                uid,
                labelled.patient_id,
                to_working_volume(volume, find_lungs(volume)),
                tuple(labelled.findings(volume)),
                synthetic=False,
                origin=CaseOrigin(voxels, fingerprint),
            )
            save_case(case, path)
            facts, result = load_facts(path), "prepared"
        else:
            self._refuse_copy(uid, labelled.patient_id, facts.origin.voxels_sha256)
        self._facts[uid] = facts
        self._folds[uid] = (
            patient_fold(labelled.patient_id) if labelled.fold is None else labelled.fold
        )
        return result

    def drop(self, uid: str) -> None:
        """Takes out a series that is not wanted (any more)."""
        self._facts.pop(uid, None)
        (self._out / _case_name(uid)).unlink(missing_ok=True)

    def close(self, made: Mapping[str, int], left_out: Sequence[LeftOut]) -> PreparationReport:
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

    def _refuse_copy(self, uid: str, patient_id: str, voxels_sha256: str) -> None:
        for other_uid, other in self._facts.items():
            if other_uid != uid and other.origin.voxels_sha256 == voxels_sha256:
                msg = (
                    f"{uid} of {patient_id} has the same voxels as {other_uid} of "
                    f"{other.patient_id}, which is prepared"
                )
                raise SeriesError(Reason.DUPLICATE_SERIES, msg)


def _case_name(uid: str) -> str:
    return f"cases/{re.sub(r'[^A-Za-z0-9._-]', '_', uid)}.npz"


def _readable_facts(path: Path) -> CaseFacts | None:
    """A case's facts; None where there is no whole case of this version."""
    try:
        return load_facts(path)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, UsageError):
        return None


def _fingerprint(labelled: LabelledSeries) -> str:
    """Changes when a file of the series or of its labels does."""
    paths = {source.path for source in labelled.series.sources} | set(labelled.label_files)
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths)
    return hashlib.sha256(f"{FORM_VERSION} {labelled.patient_id} {files}".encode()).hexdigest()


def _voxels_sha256(volume: Volume) -> str:
    digest = hashlib.sha256(str(volume.shape_zyx).encode())
    digest.update(np.ascontiguousarray(volume.hu).data)
    return digest.hexdigest()


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
                )
            )
    return stream.getvalue()


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.partial")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
