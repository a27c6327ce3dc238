"""Times the LUNA16 evaluation against a straightforward loop, both in one run on one core.

The submission is made up but shaped like LUNA16: 888 scans, 1,186 nodules, 35,192 excluded
findings, 55,000 marks, 1,000 scan-level bootstraps. The loop reads the protocol line by line as
the official script does: every mark against every finding of its scan, and, for each bootstrap,
the drawn scans' entries gathered, ranked and interpolated. It runs a few bootstraps; the rest is
taken in proportion. A second loop, with numpy inside each bootstrap, is shown for fairness.

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
    """Measures and prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loop-bootstraps", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        write_submission(Path(folder))
        print(json.dumps(measure(Path(folder), arguments.loop_bootstraps, arguments.repeats)))


def measure(folder: Path, loop_bootstraps: int, repeats: int) -> dict[str, float]:
    """Returns seconds and ratios, and checks that both ways agree."""
    reading, whole, core = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        scans = read_scan_list(folder / "series.csv")
        truth = GroundTruth(
            scans,
            read_findings(folder / "annotations.csv", scans),
            read_findings(folder / "excluded.csv", scans),
        )
        marks = read_predictions(folder / "marks.csv", scans)
        read = time.perf_counter()
        evaluate_submission(match_submission("marks.csv", marks, truth), truth)
        evaluated = time.perf_counter()
        matches = match_predictions(marks, truth.nodules, truth.excluded, scans=SCANS)
        counts = draw_counts(SCANS, resamplings=RESAMPLINGS, seed=0)
        plain = sensitivity_at(matches.entries)
        resampled = resampled_sensitivity_at(matches.entries, counts)
        interval(resampled)
        core.append(time.perf_counter() - evaluated)
        reading.append(read - start)
        whole.append(evaluated - read)

    start = time.perf_counter()
    positives, negatives = loop_judge(truth, marks)
    judging_s = time.perf_counter() - start
    drawn = [np.repeat(np.arange(SCANS), row).tolist() for row in counts[:loop_bootstraps]]
    start = time.perf_counter()
    loop_curves = [loop_curve(positives, negatives, scans_drawn) for scans_drawn in drawn]
    share = RESAMPLINGS / loop_bootstraps
    loop_s = judging_s + share * (time.perf_counter() - start)
    start = time.perf_counter()
    numpy_curves = [numpy_curve(matches.entries, scans_drawn) for scans_drawn in drawn]
    numpy_s = judging_s + share * (time.perf_counter() - start)
    np.testing.assert_allclose(loop_curves, resampled[:loop_bootstraps], atol=1e-9)
    np.testing.assert_allclose(numpy_curves, resampled[:loop_bootstraps], atol=1e-9)
    np.testing.assert_allclose(loop_curve(positives, negatives, list(range(SCANS))), plain)
    core_s, whole_s = statistics.median(core), statistics.median(whole)
    return {
        "reading_s": round(statistics.median(reading), 3),
        "judging_and_bootstraps_s": round(core_s, 3),
        "whole_evaluation_with_check_and_strata_s": round(whole_s, 3),
        "reading_and_whole_evaluation_s": round(statistics.median(reading) + whole_s, 3),
        "loop_s": round(loop_s, 1),
        "loop_numpy_inside_s": round(numpy_s, 1),
        "times_as_fast_as_the_loop": round(loop_s / core_s, 1),
        "times_as_fast_as_the_loop_whole_evaluation": round(loop_s / whole_s, 1),
        "times_as_fast_as_the_loop_numpy_inside": round(numpy_s / core_s, 1),
    }


def write_submission(folder: Path) -> None:
    """Writes the four tables of a made-up challenge of LUNA16's shape."""
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
    strewn = MARKS - int(found.sum())
    centres = [
        nodules[found] + rng.normal(0, 0.7, size=(int(found.sum()), 3)),
        rng.uniform(LOW_MM, HIGH_MM, size=(strewn, 3)),
    ]
    scores = [rng.beta(4, 1.2, int(found.sum())), rng.beta(0.6, 4, strewn)]
    scan = np.concatenate([nodule_scan[found], rng.integers(SCANS, size=strewn)])
    rows("marks.csv", scan, np.concatenate(centres), np.concatenate(scores))


def loop_judge(
    truth: GroundTruth, marks: Predictions
) -> tuple[dict[int, list[float | None]], dict[int, list[float]]]:
    """Judges mark by mark; returns the nodules' scores and the false positives' by scan."""
    by_scan: dict[int, list[tuple[float, ...]]] = {}
    table = np.column_stack([marks.centre_world_mm, marks.score])
    for scan, row in zip(marks.scan.tolist(), table.tolist(), strict=True):
        by_scan.setdefault(scan, []).append(tuple(row))
    positives: dict[int, list[float | None]] = {}
    negatives: dict[int, list[float]] = {}
    nodules, excluded = _by_scan(truth.nodules), _by_scan(truth.excluded)
    for scan in range(SCANS):
        mine = by_scan.get(scan, [])
        if len(mine) > 100:
            threshold = sorted((mark[3] for mark in mine), reverse=True)[100]
            mine = [mark for mark in mine if mark[3] > threshold]
        left = dict(enumerate(mine))
        for finding in nodules.get(scan, []):
            on_it = [i for i, mark in enumerate(mine) if _inside(mark, finding)]
            for i in on_it:
                left.pop(i, None)
            positives.setdefault(scan, []).append(max((mine[i][3] for i in on_it), default=None))
        for finding in excluded.get(scan, []):
            for i, mark in enumerate(mine):
                if _inside(mark, finding):
                    left.pop(i, None)
        negatives[scan] = [mark[3] for mark in left.values()]
    return positives, negatives


def loop_curve(
    positives: dict[int, list[float | None]], negatives: dict[int, list[float]], scans: list[int]
) -> list[float]:
    """Gathers the drawn scans, ranks their entries, walks down them and interpolates."""
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


def numpy_curve(entries: FrocEntries, scans: list[int]) -> list[float]:
    """The same with numpy inside one bootstrap."""
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


def _inside(mark: tuple[float, ...], finding: tuple[float, ...]) -> bool:
    x, y, z, radius = finding
    return (x - mark[0]) ** 2 + (y - mark[1]) ** 2 + (z - mark[2]) ** 2 < radius**2


if __name__ == "__main__":
    main()
