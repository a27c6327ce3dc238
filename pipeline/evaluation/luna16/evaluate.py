"""`evaluate_luna16`: evaluates a table of predictions by the LUNA16 protocol."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.pipeline.evaluation.luna16 import input_tables
from hounsfield.pipeline.evaluation.luna16.document import (
    GroundTruth,
    evaluate_submission,
    match_submission,
)
from hounsfield.pipeline.evaluation.schema import ProtocolWarning
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.pipeline.evaluation.luna16.document import Curve, Submission
    from hounsfield.pipeline.evaluation.schema import Luna16Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Luna16Tables:
    """Paths of the tables of an evaluation; coordinates in them are LPS mm.

    Attributes:
        annotations: Table of nodules: ``seriesuid,coordX,coordY,coordZ,diameter_mm``.
        predictions: The submission as a table: ``seriesuid,coordX,coordY,coordZ,probability``.
        seriesuids: Scans by whose number false positives are divided; None takes the scans that
            the other tables name.
        excluded: Findings on which predictions are ignored, columns as in `annotations`.
        compare: Second submission, for the paired bootstrap.
        ids: Numbers and the scans they stand for, where tables name scans by number.
        facts: Slice thickness, scanner, origin and spacing of the scans.
    """

    annotations: Path
    predictions: Path
    seriesuids: Path | None = None
    excluded: Path | None = None
    compare: Path | None = None
    ids: Path | None = None
    facts: Path | None = None


@dataclass(frozen=True, slots=True)
class Luna16Result:
    """An evaluation with all that its tables and plots show.

    Attributes:
        document: Content of ``evaluation.json``.
        curves: FROC curves: the submission, then the one it is compared with.
        submission: The submission, matched with the nodules.
        truth: Ground truth with which it was matched.
    """

    document: Luna16Evaluation
    curves: list[Curve]
    submission: Submission
    truth: GroundTruth


def evaluate_luna16(
    *,
    annotations: str | Path,
    predictions: str | Path,
    seriesuids: str | Path | None = None,
    excluded: str | Path | None = None,
    compare: str | Path | None = None,
    ids: str | Path | None = None,
    facts: str | Path | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> Luna16Evaluation:
    """Evaluates predictions by the LUNA16 protocol; writes nothing.

    Source: Setio et al., Medical Image Analysis 2017;42:1-13.

    Args:
        annotations: CSV of the nodules: ``seriesuid,coordX,coordY,coordZ,diameter_mm``, LPS mm.
        predictions: CSV of the predictions: ``seriesuid,coordX,coordY,coordZ,probability``, LPS
            mm.
        seriesuids: List of the scans by whose number false positives are divided. Without it,
            these are the scans that the other tables name, and the document warns of it: scans
            without nodules and predictions are then missing from the division.
        excluded: CSV of findings on which predictions are ignored, columns as in `annotations`.
        compare: CSV of other predictions, compared by a paired bootstrap.
        ids: CSV of numbers and the scans they stand for, where tables name scans by number.
        facts: CSV of slice thickness, scanner, origin and spacing of the scans, for strata.
        resamplings: Number of bootstraps; each draws scans with replacement. 1 or more.
        seed: Seed of the bootstrap; equal seeds give equal intervals.

    Returns:
        The content of ``evaluation.json``: CPM, sensitivity at seven rates, 95 % intervals,
        counts, strata and warnings.

    Raises:
        UsageError: A table is wrong; the message names file, row and column.
    """
    tables = Luna16Tables(
        annotations=Path(annotations),
        predictions=Path(predictions),
        seriesuids=_path(seriesuids),
        excluded=_path(excluded),
        compare=_path(compare),
        ids=_path(ids),
        facts=_path(facts),
    )
    return evaluate_tables(tables, resamplings=resamplings, seed=seed).document


def evaluate_tables(tables: Luna16Tables, *, resamplings: int, seed: int) -> Luna16Result:
    """Reads tables and evaluates the predictions in them.

    Args:
        tables: Paths of the tables.
        resamplings: Number of bootstraps over scans, 1 or more.
        seed: Seed of the bootstrap; equal seeds give equal intervals.

    Returns:
        The document, and what the tables and plots show.

    Raises:
        UsageError: A table is wrong; the message names file, row and column.
    """
    if resamplings < 1:
        msg = f"The number of bootstraps must be 1 or more, got {resamplings}"
        raise UsageError(msg)
    truth = _read_ground_truth(tables)
    name, name_of_other = _names(tables.predictions, tables.compare)
    submission = _read_submission(name, tables.predictions, truth)
    if tables.seriesuids is None:
        warnings = [_no_scan_list(truth), *submission.warnings]
        submission = replace(submission, warnings=warnings)
    other = None
    if tables.compare is not None:
        other = _read_submission(name_of_other, tables.compare, truth)
    document, curves = evaluate_submission(
        submission, truth, other=other, resamplings=resamplings, seed=seed
    )
    return Luna16Result(document, curves, submission, truth)


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)


def _read_ground_truth(tables: Luna16Tables) -> GroundTruth:
    if tables.seriesuids is None:
        scans = input_tables.scans_named_in(_tables_of_scans(tables), tables.ids)
    else:
        scans = input_tables.read_scan_list(tables.seriesuids, tables.ids)
    return GroundTruth(
        scans=scans,
        nodules=input_tables.read_findings(tables.annotations, scans),
        excluded=(
            input_tables.no_findings()
            if tables.excluded is None
            else input_tables.read_findings(tables.excluded, scans)
        ),
        facts=None if tables.facts is None else input_tables.read_scan_facts(tables.facts, scans),
    )


def _tables_of_scans(tables: Luna16Tables) -> Iterator[Path]:
    for path in (tables.annotations, tables.excluded, tables.predictions, tables.compare):
        if path is not None:
            yield path


def _read_submission(name: str, path: Path, truth: GroundTruth) -> Submission:
    return match_submission(name, input_tables.read_predictions(path, truth.scans), truth)


def _no_scan_list(truth: GroundTruth) -> ProtocolWarning:
    scans = len(truth.scans.uids)
    message = (
        f"No scan list was given: false positives are divided by the {scans} scans that the tables "
        "name. Scans with neither nodule nor prediction are missing from it; pass seriesuids."
    )
    return ProtocolWarning(code="scan_list_missing", message=message, scans=scans)


def _names(predictions: Path, compare: Path | None) -> tuple[str, str]:
    """Names submissions by their files, and by their folders too where the files are alike."""
    if compare is None or compare.name != predictions.name:
        return predictions.name, compare.name if compare else ""
    first, second = (f"{path.parent.name}/{path.name}" for path in (predictions, compare))
    return first, second
