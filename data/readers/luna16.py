"""LUNA16: MetaImage series in ten official subsets, and its tables of findings (Setio 2017)."""

from __future__ import annotations

import csv
import hashlib
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import KnownFinding
from hounsfield.data.readers.dataset import (
    UNKNOWN_DIAMETER_MM,
    DatasetContents,
    missing_series,
    usable_ct,
)
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.preprocessing.volume import Volume

ANNOTATIONS, EXCLUDED = "annotations.csv", "annotations_excluded.csv"
CANDIDATES = ("candidates_V2.csv", "candidates.csv")
"""Tables of candidates; the first that is there is read, as it holds what the other does."""


def read_luna16(source: Path) -> DatasetContents:
    """Finds the series under ``subset0`` to ``subset9``, and the tables beside or below them.

    The files name no patient: each series counts as a patient of its own, and the folds are the
    official subsets. A series outside them has none.

    Raises:
        UsageError: ``annotations.csv`` is missing, a table is there twice or cannot be read.
    """
    usable, left_out = usable_ct(discover([source]))
    annotations, excluded_table = _only(source, ANNOTATIONS), _at_most_one(source, EXCLUDED)
    nodules = read_findings(annotations, ignored=False)
    excluded = read_findings(excluded_table, ignored=True) if excluded_table else {}
    candidates = read_candidates(source)
    labelled = []
    for series in usable:
        uid = series.facts.series_uid
        labels = Labels(
            (*nodules.get(uid, ()), *excluded.get(uid, ())),
            candidates=None if candidates is None else candidates.get(uid, np.empty((0, 4))),
        )
        labelled.append(
            LabelledSeries(
                series=series,
                patient_id=uid,
                labels=partial(_listed, labels),
                labels_fingerprint=_fingerprint(labels),
                fold=_subset(series.path.relative_to(source)),
            )
        )
    told = {Path(one.name).stem for one in left_out} | {one.series_uid for one in labelled}
    gone = nodules.keys() - told
    return DatasetContents(labelled, [*left_out, *missing_series(source, gone, what="annotations")])


def read_findings(table: Path, *, ignored: bool) -> dict[str, list[KnownFinding]]:
    """Reads ``seriesuid,coordX,coordY,coordZ,diameter_mm`` (LPS mm), by series.

    A negative diameter is unknown.

    Raises:
        UsageError: A column is missing, or a cell is no number.
    """
    findings: dict[str, list[KnownFinding]] = {}
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                x, y, z, diameter_mm = (
                    float(row[name]) for name in ("coordX", "coordY", "coordZ", "diameter_mm")
                )
                known = findings.setdefault(row["seriesuid"], [])
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{table}, line {number}: {error!r}; the columns of LUNA16 are needed"
                raise UsageError(msg) from error
            if diameter_mm < 0:
                diameter_mm = UNKNOWN_DIAMETER_MM
            known.append(KnownFinding((x, y, z), diameter_mm, ignored=ignored))
    return findings


def read_candidates(source: Path) -> dict[str, NDArray[np.float64]] | None:
    """Reads the candidates of each series, where a table of them is at or below a folder.

    Returns:
        For each series (n, 4): x, y, z in LPS mm and 1 for a nodule, 0 for none. None where
        there is no table.

    Raises:
        UsageError: A table is there twice, a column is missing, or a cell is no number.
    """
    table = next((found for name in CANDIDATES if (found := _at_most_one(source, name))), None)
    if table is None:
        return None
    rows: dict[str, list[tuple[float, ...]]] = {}
    with table.open(newline="", encoding="utf-8-sig") as stream:
        for number, row in enumerate(csv.DictReader(stream), start=2):
            try:
                place = tuple(float(row[name]) for name in ("coordX", "coordY", "coordZ", "class"))
                rows.setdefault(row["seriesuid"], []).append(place)
            except (KeyError, TypeError, ValueError) as error:
                msg = f"{table}, line {number}: {error!r}; the columns of LUNA16 are needed"
                raise UsageError(msg) from error
    return {uid: np.array(places) for uid, places in rows.items()}


def _listed(labels: Labels, _volume: Volume) -> Labels:
    """The tables tell all in mm already."""
    return labels


def _fingerprint(labels: Labels) -> str:
    candidates = b"" if labels.candidates is None else labels.candidates.tobytes()
    return hashlib.sha256(repr(labels.findings).encode() + candidates).hexdigest()


def _only(source: Path, name: str) -> Path:
    """The one table of a name at or below a folder."""
    found = _at_most_one(source, name)
    if found is None:
        msg = f"{source} must hold {name}, but holds none"
        raise UsageError(msg)
    return found


def _at_most_one(source: Path, name: str) -> Path | None:
    found = sorted(source.rglob(name))
    if len(found) > 1:
        msg = f"{source} must hold one {name}, but holds {found[0]} and {found[1]}"
        raise UsageError(msg)
    return found[0] if found else None


def _subset(path: Path) -> int | None:
    """The official subset that a path goes through."""
    for part in path.parts:
        if match := re.fullmatch(r"subset([0-9])", part):
            return int(match[1])
    return None
