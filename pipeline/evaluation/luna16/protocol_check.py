"""What a submission does against the protocol, said loudly beside its figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.frame_check import detect_coordinate_frame
from hounsfield.pipeline.evaluation.luna16.froc import sensitivity_at
from hounsfield.pipeline.evaluation.luna16.protocol import Judgement, PredictionOutcome
from hounsfield.pipeline.evaluation.schema import ProtocolWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.pipeline.evaluation.luna16.submission import (
        Findings,
        Marks,
        ScanList,
        SeriesFacts,
    )


def check_protocol(
    all_marks: Marks,
    marks: Marks,
    judgement: Judgement,
    nodules: Findings,
    scans: ScanList,
    facts: SeriesFacts | None = None,
) -> list[ProtocolWarning]:
    """Says what is wrong with a submission; nothing of it changes a figure.

    Args:
        all_marks: Every row of the file.
        marks: Those that were judged: on listed scans, with finite scores.
        judgement: What became of them.
        nodules: Those that count.
        scans: The list.
        facts: Of the series, where known.
    """
    within_cap = marks.of(judgement.fate != PredictionOutcome.OVER_LIMIT)
    return [
        *_omitted(all_marks, judgement, nodules, scans),
        *_unknown(all_marks),
        *_duplicates(all_marks),
        *_not_finite(all_marks),
        *_over_the_cap(marks, judgement),
        *_frame(within_cap, nodules, facts),
    ]


def _omitted(
    marks: Marks, judgement: Judgement, nodules: Findings, scans: ScanList
) -> Iterator[ProtocolWarning]:
    """Warns of listed scans without a mark, and tells what the division by all of them hides."""
    listed = len(scans.uids)
    predicted = np.zeros(listed, np.bool_)
    predicted[marks.scan[marks.scan >= 0]] = True
    count = int(predicted.sum())
    if count == listed:
        return
    with_nodules = np.zeros(listed, np.bool_)
    with_nodules[nodules.scan] = True
    omitted = (
        f"No mark lies on {listed - count} of the {listed} listed scans; they add no false "
        f"positives but stand in the division by {listed}."
    )
    yield ProtocolWarning(
        code="scans_omitted",
        message=omitted + " Right only if the detector was run on them and marked nothing.",
        listed=listed,
        predicted=count,
        omitted=listed - count,
    )
    if count and not (predicted & ~with_nodules).any() and not with_nodules.all():
        cpm = float(sensitivity_at(judgement.entries.of_scans(predicted)).mean())
        message = (
            f"Only scans that hold nodules are predicted ({count} of {listed} scans). Their false "
            f"positives are divided by {listed}, which flatters every figure: divided by the "
            f"{count} predicted scans the CPM is {cpm:.4f}. Predict the nodule-free scans too."
        )
        yield ProtocolWarning(
            code="nodule_scans_only",
            message=message,
            predicted=count,
            listed=listed,
            cpm_of_predicted_scans=cpm,
        )


def _unknown(marks: Marks) -> Iterator[ProtocolWarning]:
    unknown = np.flatnonzero(marks.scan < 0).tolist()
    if unknown:
        names = len({marks.scan_name[i] for i in unknown})
        first = unknown[0]
        message = (
            f"{len(unknown)} marks on {names} scans that are not listed were left out; the first "
            f"is {marks.scan_name[first]} in row {marks.row_number[first]}."
        )
        yield ProtocolWarning(
            code="scans_unknown",
            message=message,
            marks=len(unknown),
            scans=names,
        )


def _duplicates(marks: Marks) -> Iterator[ProtocolWarning]:
    rows = np.column_stack([marks.centre_world_mm, marks.score])
    seen: dict[tuple[object, ...], int] = {}
    repeated = []
    for index, (name, row) in enumerate(zip(marks.scan_name, rows.tolist(), strict=True)):
        if seen.setdefault((name, *row), index) != index:
            repeated.append(index)
    if repeated:
        message = (
            f"{len(repeated)} marks repeat an earlier one to the last digit, the first in row "
            f"{marks.row_number[repeated[0]]}; each counts again, as in the official script."
        )
        yield ProtocolWarning(code="duplicate_marks", message=message, marks=len(repeated))


def _not_finite(marks: Marks) -> Iterator[ProtocolWarning]:
    score = ~np.isfinite(marks.score)
    place = ~np.isfinite(marks.centre_world_mm).all(axis=1)
    either = np.flatnonzero(score | place).tolist()
    if either:
        message = (
            f"{len(either)} marks hold NaN or infinity, the first in row "
            f"{marks.row_number[either[0]]}: {int(score.sum())} without a finite score were left "
            f"out (the official script stops there), {int((place & ~score).sum())} without a "
            f"finite place lie on nothing and count as false positives."
        )
        yield ProtocolWarning(
            code="not_finite",
            message=message,
            marks_without_score=int(score.sum()),
            marks_without_place=int((place & ~score).sum()),
        )


def _over_the_cap(marks: Marks, judgement: Judgement) -> Iterator[ProtocolWarning]:
    cut = judgement.fate == PredictionOutcome.OVER_LIMIT
    if cut.any():
        scans = len(np.unique(marks.scan[cut]))
        message = (
            f"{scans} scans hold more marks than are allowed; {int(cut.sum())} marks of the "
            f"lowest scores were cut, ties with the first one beyond the cap included."
        )
        yield ProtocolWarning(
            code="over_the_cap",
            message=message,
            scans=scans,
            marks_cut=int(cut.sum()),
        )


def _frame(marks: Marks, nodules: Findings, facts: SeriesFacts | None) -> Iterator[ProtocolWarning]:
    suspicion = detect_coordinate_frame(marks, nodules, facts)
    if suspicion is not None:
        if_so = (
            f", and {suspicion.hits_if_so} if read so" if suspicion.hits_if_so is not None else ""
        )
        message = (
            f"The coordinates look like {suspicion.frame}, not LPS mm: of {len(nodules.scan)} "
            f"nodules the marks hit {suspicion.hits_as_given} as given{if_so}."
        )
        yield ProtocolWarning(
            code="coordinates_suspect",
            message=message,
            frame=suspicion.frame,
            hits_as_given=suspicion.hits_as_given,
            hits_if_so=suspicion.hits_if_so,
        )
