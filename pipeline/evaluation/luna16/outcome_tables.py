"""Tables of the outcome of each nodule and of each prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.protocol import PredictionOutcome, radii_mm

if TYPE_CHECKING:
    from hounsfield.pipeline.evaluation.luna16.document import GroundTruth, Submission

NODULE_COLUMNS = (
    "seriesuid",
    "x_mm",
    "y_mm",
    "z_mm",
    "diameter_mm",
    "outcome",
    "score",
    "distance_mm",
    "predictions_on_nodule",
    "false_positives_per_scan",
)
PREDICTION_COLUMNS = ("row", "seriesuid", "x_mm", "y_mm", "z_mm", "score", "outcome")


def nodule_rows(submission: Submission, truth: GroundTruth) -> list[list[str]]:
    """Makes a row for each nodule, in the order of the annotations.

    ``false_positives_per_scan`` is the rate at which the nodule is detected: the false positives
    that score at least as high as its prediction, divided by the number of listed scans.

    Args:
        submission: Submission, matched with the ground truth.
        truth: Ground truth that the submission was matched with.

    Returns:
        Rows of `NODULE_COLUMNS`; coordinates in LPS mm.
    """
    matches, predictions, nodules = submission.matches, submission.predictions, truth.nodules
    scans = len(truth.scans.uids)
    false_positive_scores = np.sort(matches.entries.false_positive_score)
    rows = []
    for i, (best, diameter) in enumerate(
        zip(matches.best_prediction, 2 * radii_mm(nodules), strict=True)
    ):
        centre = nodules.centre_world_mm[i]
        row = [truth.scans.uids[nodules.scan[i]], *map(_text, centre), _text(diameter)]
        if best < 0:
            rows.append([*row, "miss", "", "", "0", ""])
            continue
        score = predictions.score[best]
        distance = float(np.linalg.norm(predictions.centre_world_mm[best] - centre))
        at_least = len(false_positive_scores) - np.searchsorted(
            false_positive_scores, score, "left"
        )
        count = str(matches.predictions_on_nodule[i])
        rows.append(
            [*row, "hit", repr(float(score)), _text(distance), count, _text(at_least / scans)]
        )
    return rows


def prediction_rows(submission: Submission, truth: GroundTruth) -> list[list[str]]:
    """Makes a row for each matched prediction.

    Args:
        submission: Submission, matched with the ground truth.
        truth: Ground truth that the submission was matched with.

    Returns:
        Rows of `PREDICTION_COLUMNS`; ``row`` is the line in the file of the submission.
    """
    predictions = submission.predictions
    names = [outcome.name.lower() for outcome in PredictionOutcome]
    return [
        [str(row), truth.scans.uids[scan], *map(_text, centre), repr(score), names[outcome]]
        for row, scan, centre, score, outcome in zip(
            predictions.row_number,
            predictions.scan,
            predictions.centre_world_mm.tolist(),
            predictions.score.tolist(),
            submission.matches.outcome,
            strict=True,
        )
    ]


def _text(value: float) -> str:
    return f"{value:.6g}"
