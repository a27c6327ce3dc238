"""Time of the LUNA16 evaluation, compared with a straightforward loop in the same process.

Both use one core. The submission is random with the size of LUNA16: 888 scans, 1,186 nodules,
35,192 excluded findings, 55,000 predictions, 1,000 scan-level bootstraps. The loop follows the
protocol as the official script does: it compares every prediction with every finding of its scan,
and for each bootstrap it gathers, ranks and interpolates the entries of the resampled scans. It
runs a few bootstraps, and its time is extrapolated. A second loop uses numpy inside each bootstrap,
for a fair comparison.

Run: ``python -m benchmarks.evaluation``
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from hounsfield.pipeline.evaluation.bootstrap import draw_counts, interval
from hounsfield.pipeline.evaluation.luna16.document import (
    GroundTruth,
    evaluate_submission,
    match_submission,
)
from hounsfield.pipeline.evaluation.luna16.froc import (
    RATES,
    FrocEntries,
    resampled_sensitivity_at,
    sensitivity_at,
)
from hounsfield.pipeline.evaluation.luna16.input_tables import (
    Findings,
    Predictions,
    read_findings,
    read_predictions,
    read_scan_list,
)
from hounsfield.pipeline.evaluation.luna16.protocol import match_predictions

SCANS, NODULES, EXCLUDED, MARKS = 888, 1_186, 35_192, 55_000
RESAMPLINGS = 1_000
LOW_MM, HIGH_MM = (-150.0, -200.0, -350.0), (150.0, 50.0, -50.0)


def main() -> None:
    """Prints the measurements as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop-bootstraps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        _write_submission(Path(folder))
        print(json.dumps(_measure(Path(folder), arguments.loop_bootstraps, arguments.repeats)))


def _measure(folder: Path, loop_bootstraps: int, repeats: int) -> dict[str, float]:
    """Returns seconds and ratios; fails where the implementations disagree."""
    reading, whole, core = [], [], []
    for _ in range(repeats):
        started = time.perf_counter()
        scans = read_scan_list(folder / "series.csv")
        truth = GroundTruth(
            scans,
            read_findings(folder / "annotations.csv", scans),
            read_findings(folder / "excluded.csv", scans),
        )
        predictions = read_predictions(folder / "predictions.csv", scans)
        read = time.perf_counter()
        evaluate_submission(match_submission("predictions.csv", predictions, truth), truth)
        evaluated = time.perf_counter()
        matches = match_predictions(predictions, truth.nodules, truth.excluded, scans=SCANS)
        counts = draw_counts(SCANS, resamplings=RESAMPLINGS, seed=0)
        plain = sensitivity_at(matches.entries)
        resampled = resampled_sensitivity_at(matches.entries, counts)
        interval(resampled)
        core.append(time.perf_counter() - evaluated)
        reading.append(read - started)
        whole.append(evaluated - read)

    started = time.perf_counter()
    positives, negatives = _loop_match(truth, predictions)
    matching_s = time.perf_counter() - started
    resampled_scans = [
        np.repeat(np.arange(SCANS), row).tolist() for row in counts[:loop_bootstraps]
    ]
    started = time.perf_counter()
    loop_curves = [_loop_curve(positives, negatives, scans) for scans in resampled_scans]
    scale = RESAMPLINGS / loop_bootstraps
    loop_s = matching_s + scale * (time.perf_counter() - started)
    started = time.perf_counter()
    numpy_curves = [_numpy_curve(matches.entries, scans) for scans in resampled_scans]
    numpy_s = matching_s + scale * (time.perf_counter() - started)
    np.testing.assert_allclose(loop_curves, resampled[:loop_bootstraps], atol=1e-9)
    np.testing.assert_allclose(numpy_curves, resampled[:loop_bootstraps], atol=1e-9)
    np.testing.assert_allclose(_loop_curve(positives, negatives, list(range(SCANS))), plain)
    core_s, whole_s = statistics.median(core), statistics.median(whole)
    return {
        "reading_s": round(statistics.median(reading), 3),
        "matching_and_bootstraps_s": round(core_s, 3),
        "whole_evaluation_with_check_and_strata_s": round(whole_s, 3),
        "reading_and_whole_evaluation_s": round(statistics.median(reading) + whole_s, 3),
        "loop_s": round(loop_s, 1),
        "loop_numpy_inside_s": round(numpy_s, 1),
        "times_as_fast_as_the_loop": round(loop_s / core_s, 1),
        "times_as_fast_as_the_loop_whole_evaluation": round(loop_s / whole_s, 1),
        "times_as_fast_as_the_loop_numpy_inside": round(numpy_s / core_s, 1),
    }


def _write_submission(folder: Path) -> None:
    """Writes the four tables of a random challenge with the size of LUNA16."""
    rng = np.random.default_rng(0)
    names = [f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{10**29 + i}" for i in range(SCANS)]
    (folder / "series.csv").write_text("\n".join(names) + "\n")

    def rows(path: str, scan: np.ndarray, centre: np.ndarray, last: np.ndarray) -> None:
        lines = [
            f"{names[s]},{x!r},{y!r},{z!r},{value!r}"
            for s, (x, y, z), value in zip(
                scan.tolist(), centre.tolist(), last.tolist(), strict=True
            )
        ]
        (folder / path).write_text("\n".join(lines) + "\n")

    nodule_scan = rng.integers(SCANS, size=NODULES)
    nodules = rng.uniform(LOW_MM, HIGH_MM, size=(NODULES, 3))
    excluded = rng.uniform(LOW_MM, HIGH_MM, size=(EXCLUDED, 3))
    rows("annotations.csv", nodule_scan, nodules, rng.uniform(3, 30, NODULES))
    rows("excluded.csv", rng.integers(SCANS, size=EXCLUDED), excluded, np.full(EXCLUDED, -1.0))
    found = rng.random(NODULES) < 0.93
    false_positives = MARKS - int(found.sum())
    centres = [
        nodules[found] + rng.normal(0, 0.7, size=(int(found.sum()), 3)),
        rng.uniform(LOW_MM, HIGH_MM, size=(false_positives, 3)),
    ]
    scores = [rng.beta(4, 1.2, int(found.sum())), rng.beta(0.6, 4, false_positives)]
    scan = np.concatenate([nodule_scan[found], rng.integers(SCANS, size=false_positives)])
    rows("predictions.csv", scan, np.concatenate(centres), np.concatenate(scores))


def _loop_match(
    truth: GroundTruth, predictions: Predictions
) -> tuple[dict[int, list[float | None]], dict[int, list[float]]]:
    """Matches prediction by prediction; returns scores of nodules and false positives by scan."""
    by_scan: dict[int, list[tuple[float, ...]]] = {}
    table = np.column_stack([predictions.centre_world_mm, predictions.score])
    for scan, row in zip(predictions.scan.tolist(), table.tolist(), strict=True):
        by_scan.setdefault(scan, []).append(tuple(row))
    positives: dict[int, list[float | None]] = {}
    negatives: dict[int, list[float]] = {}
    nodules, excluded = _by_scan(truth.nodules), _by_scan(truth.excluded)
    for scan in range(SCANS):
        in_scan = by_scan.get(scan, [])
        if len(in_scan) > 100:
            threshold = sorted((prediction[3] for prediction in in_scan), reverse=True)[100]
            in_scan = [prediction for prediction in in_scan if prediction[3] > threshold]
        unmatched = dict(enumerate(in_scan))
        for finding in nodules.get(scan, []):
            hits = [i for i, prediction in enumerate(in_scan) if _inside(prediction, finding)]
            for i in hits:
                unmatched.pop(i, None)
            positives.setdefault(scan, []).append(max((in_scan[i][3] for i in hits), default=None))
        for finding in excluded.get(scan, []):
            for i, prediction in enumerate(in_scan):
                if _inside(prediction, finding):
                    unmatched.pop(i, None)
        negatives[scan] = [prediction[3] for prediction in unmatched.values()]
    return positives, negatives


def _loop_curve(
    positives: dict[int, list[float | None]], negatives: dict[int, list[float]], scans: list[int]
) -> list[float]:
    """Gathers and ranks the entries of resampled scans, accumulates them and interpolates."""
    entries: list[tuple[float, int]] = []
    total = 0
    for scan in scans:
        for score in positives.get(scan, []):
            total += 1
            if score is not None:
                entries.append((score, 1))
        entries.extend((score, 0) for score in negatives[scan])
    entries.sort(key=lambda entry: -entry[0])
    rates, sensitivities = [0.0], [0.0]
    found = wrong = 0
    for i, (score, positive) in enumerate(entries):
        found += positive
        wrong += 1 - positive
        if i + 1 == len(entries) or entries[i + 1][0] != score:
            rates.append(wrong / len(scans))
            sensitivities.append(found / total)
    return np.interp(RATES, rates, sensitivities).tolist()


def _numpy_curve(entries: FrocEntries, scans: list[int]) -> list[float]:
    """Does the same with numpy inside one bootstrap."""
    counts = np.bincount(scans, minlength=SCANS)
    hit = np.isfinite(entries.nodule_score)
    hit_score = np.repeat(entries.nodule_score[hit], counts[entries.nodule_scan[hit]])
    wrong_score = np.repeat(entries.false_positive_score, counts[entries.false_positive_scan])
    score = np.concatenate([hit_score, wrong_score])
    order = np.argsort(-score)
    last = np.flatnonzero(np.diff(score[order], append=np.nan))
    positive = np.cumsum(order < len(hit_score))[last]
    rates = (last + 1 - positive) / len(scans)
    total = counts[entries.nodule_scan].sum()
    return np.interp(RATES, np.append(0, rates), np.append(0, positive / total)).tolist()


def _by_scan(findings: Findings) -> dict[int, list[tuple[float, ...]]]:
    radius = np.where(findings.diameter_mm < 0, 10.0, findings.diameter_mm) / 2
    table = np.column_stack([findings.centre_world_mm, radius])
    by_scan: dict[int, list[tuple[float, ...]]] = {}
    for scan, row in zip(findings.scan.tolist(), table.tolist(), strict=True):
        by_scan.setdefault(scan, []).append(tuple(row))
    return by_scan


def _inside(prediction: tuple[float, ...], finding: tuple[float, ...]) -> bool:
    x, y, z, radius = finding
    return (x - prediction[0]) ** 2 + (y - prediction[1]) ** 2 + (
        z - prediction[2]
    ) ** 2 < radius**2


if __name__ == "__main__":
    main()
