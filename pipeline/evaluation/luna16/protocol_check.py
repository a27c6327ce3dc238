"""Checks a submission against the protocol and warns of what makes its figures incomparable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.frame_check import detect_coordinate_frame
from hounsfield.pipeline.evaluation.luna16.froc import sensitivity_at
from hounsfield.pipeline.evaluation.luna16.protocol import MatchResult, PredictionOutcome
from hounsfield.pipeline.evaluation.schema import ProtocolWarning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hounsfield.pipeline.evaluation.luna16.input_tables import (
        Findings,
        Predictions,
        ScanFacts,
        ScanList,
    )

MAX_CHEST_MM = 500.0
"""Longer than any chest along any axis."""


def check_protocol(
    all_predictions: Predictions,
    predictions: Predictions,
    matches: MatchResult,
    nodules: Findings,
    scans: ScanList,
    facts: ScanFacts | None = None,
) -> list[ProtocolWarning]:
    """Lists the ways in which a submission departs from the protocol; no figure changes.

    Args:
        all_predictions: Every row of the file.
        predictions: Rows that were matched: on listed scans, with finite scores.
        matches: Outcome of each matched row.
        nodules: Ground-truth nodules on listed scans.
        scans: Scans by whose number false positives are divided.
        facts: Origin and spacing of the scans; None if unknown.

    Returns:
        The warnings; empty for a submission that keeps to the protocol.
    """
    within_limit = predictions.select(matches.outcome != PredictionOutcome.OVER_LIMIT)
    return [
        *_omitted_scans(all_predictions, matches, nodules, scans),
        *_unknown_scans(all_predictions),
        *_duplicates(all_predictions),
        *_not_finite(all_predictions),
        *_over_limit(predictions, matches),
        *_coordinate_frame(within_limit, nodules, facts),
        *_repeated_nodules(nodules, scans),
        *_impossible_nodules(nodules, scans),
    ]


def _omitted_scans(
    predictions: Predictions, matches: MatchResult, nodules: Findings, scans: ScanList
) -> Iterator[ProtocolWarning]:
    """Warns of listed scans without a prediction, and of what dividing by all of them hides."""
    listed = len(scans.uids)
    is_predicted = np.zeros(listed, np.bool_)
    is_predicted[predictions.scan[predictions.scan >= 0]] = True
    predicted = int(is_predicted.sum())
    if predicted == listed:
        return
    has_nodules = np.zeros(listed, np.bool_)
    has_nodules[nodules.scan] = True
    yield ProtocolWarning(
        code="scans_omitted",
        message=(
            f"{listed - predicted} of the {listed} listed scans have no prediction; they add no "
            f"false positives but count in the division by {listed}. This is correct only if the "
            "detector was run on them and found nothing."
        ),
        listed=listed,
        predicted=predicted,
        omitted=listed - predicted,
    )
    if predicted and not (is_predicted & ~has_nodules).any() and not has_nodules.all():
        cpm = float(sensitivity_at(matches.entries.select_scans(is_predicted)).mean())
        yield ProtocolWarning(
            code="nodule_scans_only",
            message=(
                f"Only scans with nodules are predicted ({predicted} of {listed} scans). Their "
                f"false positives are divided by {listed}, which flatters every figure: divided "
                f"by the {predicted} predicted scans the CPM is {cpm:.4f}. Predict the scans "
                "without nodules too."
            ),
            predicted=predicted,
            listed=listed,
            cpm_of_predicted_scans=cpm,
        )


def _unknown_scans(predictions: Predictions) -> Iterator[ProtocolWarning]:
    unknown = np.flatnonzero(predictions.scan < 0).tolist()
    if unknown:
        scans = len({predictions.scan_name[i] for i in unknown})
        first = unknown[0]
        yield ProtocolWarning(
            code="scans_unknown",
            message=(
                f"{len(unknown)} predictions on {scans} scans that are not listed were dropped; "
                f"the first is on {predictions.scan_name[first]} in row "
                f"{predictions.row_number[first]}."
            ),
            predictions=len(unknown),
            scans=scans,
        )


def _duplicates(predictions: Predictions) -> Iterator[ProtocolWarning]:
    rows = np.column_stack([predictions.centre_world_mm, predictions.score])
    first_index: dict[tuple[object, ...], int] = {}
    repeated = []
    for index, (name, row) in enumerate(zip(predictions.scan_name, rows.tolist(), strict=True)):
        if first_index.setdefault((name, *row), index) != index:
            repeated.append(index)
    if repeated:
        yield ProtocolWarning(
            code="duplicate_predictions",
            message=(
                f"{len(repeated)} predictions repeat an earlier one exactly, the first in row "
                f"{predictions.row_number[repeated[0]]}; each counts again, as in the official "
                "script."
            ),
            predictions=len(repeated),
        )


def _repeated_nodules(nodules: Findings, scans: ScanList) -> Iterator[ProtocolWarning]:
    places = np.column_stack([nodules.scan, nodules.centre_world_mm])
    _, first = np.unique(places, axis=0, return_index=True)
    repeated = sorted(set(range(len(places))) - set(first.tolist()))
    if repeated:
        yield ProtocolWarning(
            code="annotations_repeated",
            message=(
                f"{len(repeated)} annotations have the place of an earlier one, the first on "
                f"{scans.uids[nodules.scan[repeated[0]]]}; each counts again, as in the official "
                "script."
            ),
            annotations=len(repeated),
        )


def _impossible_nodules(nodules: Findings, scans: ScanList) -> Iterator[ProtocolWarning]:
    """Warns of annotations that no chest can hold together, and of diameters that none has."""
    order = np.argsort(nodules.scan, kind="stable")
    starts = np.flatnonzero(np.diff(nodules.scan[order])) + 1
    wrong = np.flatnonzero((nodules.diameter_mm == 0) | (nodules.diameter_mm > MAX_CHEST_MM))
    suspects = set(nodules.scan[wrong].tolist())
    for members in np.split(order, starts):
        extent_mm = np.ptp(nodules.centre_world_mm[members], axis=0) if len(members) else 0
        if np.any(extent_mm > MAX_CHEST_MM):
            suspects.add(int(nodules.scan[members[0]]))
    if suspects:
        yield ProtocolWarning(
            code="annotations_impossible",
            message=(
                f"{len(suspects)} scans have annotations over {MAX_CHEST_MM:g} mm apart or with a "
                f"diameter that no nodule has, the first is {scans.uids[min(suspects)]}; they "
                "count all the same, as in the official script. Check the table."
            ),
            scans=len(suspects),
        )


def _not_finite(predictions: Predictions) -> Iterator[ProtocolWarning]:
    score = ~np.isfinite(predictions.score)
    position = ~np.isfinite(predictions.centre_world_mm).all(axis=1)
    either = np.flatnonzero(score | position).tolist()
    if either:
        without_score, without_position = int(score.sum()), int((position & ~score).sum())
        yield ProtocolWarning(
            code="not_finite",
            message=(
                f"{len(either)} predictions contain NaN or infinity, the first in row "
                f"{predictions.row_number[either[0]]}: {without_score} without a finite score "
                f"were dropped (the official script fails there), {without_position} without a "
                "finite position hit nothing and count as false positives."
            ),
            predictions_without_score=without_score,
            predictions_without_position=without_position,
        )


def _over_limit(predictions: Predictions, matches: MatchResult) -> Iterator[ProtocolWarning]:
    dropped = matches.outcome == PredictionOutcome.OVER_LIMIT
    if dropped.any():
        scans = len(np.unique(predictions.scan[dropped]))
        count = int(dropped.sum())
        yield ProtocolWarning(
            code="over_limit",
            message=(
                f"{scans} scans have more predictions than are allowed; the {count} of lowest "
                "score were dropped, ties with the first one over the limit included."
            ),
            scans=scans,
            predictions_dropped=count,
        )


def _coordinate_frame(
    predictions: Predictions, nodules: Findings, facts: ScanFacts | None
) -> Iterator[ProtocolWarning]:
    suggestion = detect_coordinate_frame(predictions, nodules, facts)
    if suggestion is None:
        return
    hits = suggestion.hits_in_frame
    in_frame = f", and {hits} in that frame" if hits is not None else ""
    yield ProtocolWarning(
        code="coordinates_suspect",
        message=(
            f"The coordinates look like {suggestion.frame}, not LPS mm: of {len(nodules.scan)} "
            f"nodules the predictions hit {suggestion.hits_as_given} as given{in_frame}."
        ),
        frame=suggestion.frame,
        hits_as_given=suggestion.hits_as_given,
        hits_in_frame=hits,
    )
