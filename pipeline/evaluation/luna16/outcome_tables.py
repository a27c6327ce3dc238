"""Per-nodule and per-mark tables: which was hit, which was missed, what became of a mark."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.protocol import PredictionOutcome, radii_mm

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.pipeline.evaluation.luna16.evaluate import GroundTruth, Submission

NODULE_COLUMNS = (
    "seriesuid",
    "x_mm",
    "y_mm",
    "z_mm",
    "diameter_mm",
    "outcome",
    "score",
    "distance_mm",
    "marks_on_nodule",
    "false_positives_per_scan",
)
MARK_COLUMNS = ("row", "seriesuid", "x_mm", "y_mm", "z_mm", "score", "outcome")


def nodule_rows(submission: Submission, truth: GroundTruth) -> list[list[str]]:
    """Makes a row a nodule, in the order of the annotations.

    ``false_positives_per_scan`` is the rate at which its mark is reached: the false positives
    that score at least as high, by all listed scans.
    """
    judgement, marks, nodules = submission.judgement, submission.marks, truth.nodules
    scans = len(truth.scans.uids)
    ranked = np.sort(judgement.entries.false_positive_score)
    rows = []
    for i, (mark, diameter) in enumerate(
        zip(judgement.best_mark, 2 * radii_mm(nodules), strict=True)
    ):
        centre = nodules.centre_world_mm[i]
        row = [truth.scans.uids[nodules.scan[i]], *map(_text, centre), _text(diameter)]
        if mark < 0:
            rows.append([*row, "miss", "", "", "0", ""])
            continue
        score = marks.score[mark]
        distance = float(np.linalg.norm(marks.centre_world_mm[mark] - centre))
        rate = (len(ranked) - np.searchsorted(ranked, score, "left")) / scans
        count = str(judgement.marks_on_nodule[i])
        rows.append([*row, "hit", repr(float(score)), _text(distance), count, _text(rate)])
    return rows


def mark_rows(submission: Submission, truth: GroundTruth) -> list[list[str]]:
    """Makes a row a judged mark, with the row of the submission's file that it stands in."""
    marks, names = submission.marks, [fate.name.lower() for fate in PredictionOutcome]
    return [
        [str(row), truth.scans.uids[scan], *map(_text, centre), repr(score), names[fate]]
        for row, scan, centre, score, fate in zip(
            marks.row_number,
            marks.scan,
            marks.centre_world_mm.tolist(),
            marks.score.tolist(),
            submission.judgement.fate,
            strict=True,
        )
    ]


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Writes a header and rows as comma separated text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _text(value: float) -> str:
    return f"{value:.6g}"
