"""Every rule of the protocol, worked by hand, and against a slow reading of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hounsfield.pipeline.evaluation.bootstrap import draw_counts, interval
from hounsfield.pipeline.evaluation.luna16.froc import (
    RATES,
    resampled_sensitivity_at,
    sensitivity_at,
)
from hounsfield.pipeline.evaluation.luna16.protocol import PredictionOutcome, judge
from hounsfield.pipeline.evaluation.luna16.submission import (
    Findings,
    Marks,
    read_findings,
    read_predictions,
    read_scan_list,
)
from tests.pipeline.evaluation.slow_reading import slow_luna16

REAL = Path(__file__).parents[4] / "shared" / "real" / "luna16"


def findings(rows=()):
    table = np.array(list(rows), float).reshape(-1, 5)
    return Findings(table[:, 0].astype(int), table[:, 1:4], table[:, 4])


def marks(rows=()):
    table = np.array(list(rows), float).reshape(-1, 5)
    scan = table[:, 0].astype(int)
    rows_in_file = list(range(2, len(table) + 2))
    return Marks(scan, [str(s) for s in scan], table[:, 1:4], table[:, 4], rows_in_file)


def judged(mark_rows, nodule_rows, excluded_rows=(), scans=1):
    return judge(marks(mark_rows), findings(nodule_rows), findings(excluded_rows), scans=scans)


def test_a_mark_on_the_rim_is_no_hit_and_one_just_inside_is():
    # diameter 10 mm: a mark at exactly 5 mm (3, 4, 0) is outside, since 25 < 25 is false
    assert judged([(0, 3, 4, 0, 0.9)], [(0, 0, 0, 0, 10)]).fate.tolist() == [
        PredictionOutcome.FALSE_POSITIVE
    ]
    assert judged([(0, 3, 3.999, 0, 0.9)], [(0, 0, 0, 0, 10)]).true_positives == 1


def test_a_negative_diameter_counts_as_10_mm():
    rows = [(0, 4.9, 0, 0, 0.5), (0, 5.0, 0, 0, 0.4)]
    assert judged(rows, [(0, 0, 0, 0, -1)]).fate.tolist() == [
        PredictionOutcome.BEST_ON_NODULE,
        PredictionOutcome.FALSE_POSITIVE,
    ]
    assert judged(rows, [], [(0, 0, 0, 0, -1)]).fate.tolist() == [
        PredictionOutcome.IGNORED_EXCLUDED,
        PredictionOutcome.FALSE_POSITIVE,
    ]


def test_ties_with_the_101st_score_are_all_cut():
    # 99 marks above, then four of one score across the edge: 99 stay, not 100
    rows = [(0, 100 + i, 0, 0, 1 + i) for i in range(99)] + [(0, 0, i, 0, 0.5) for i in range(4)]
    result = judged(rows, [(0, 0, 0, 0, 4)])
    assert result.count(PredictionOutcome.OVER_LIMIT) == 4
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 99
    assert result.true_positives == 0  # the nodule's only marks were among the ties


def test_101_equal_scores_leave_no_mark_and_100_leave_all():
    assert (
        judged([(0, i, 9, 9, 0.5) for i in range(101)], []).count(PredictionOutcome.OVER_LIMIT)
        == 101
    )
    assert (
        judged([(0, i, 9, 9, 0.5) for i in range(100)], []).count(PredictionOutcome.OVER_LIMIT) == 0
    )


def test_the_cap_is_of_each_scan():
    rows = [(scan, i, 9, 9, i) for scan in (0, 1) for i in range(100)]
    assert judged(rows, [], scans=2).count(PredictionOutcome.OVER_LIMIT) == 0


def test_a_mark_on_two_nodules_finds_both_and_is_no_duplicate():
    result = judged([(0, 0, 0, 0, 0.9)], [(0, 1, 0, 0, 8), (0, -1, 0, 0, 8)])
    assert result.true_positives == 2
    assert result.ignored_duplicates == 0
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 0


def test_the_best_mark_on_a_nodule_counts_and_the_others_vanish():
    rows = [(0, 1, 0, 0, 0.2), (0, 0, 0, 0, 0.7), (0, 0, 1, 0, 0.7)]
    result = judged(rows, [(0, 0, 0, 0, 8)])
    assert result.best_mark.tolist() == [1]
    assert result.entries.nodule_score.tolist() == [0.7]
    assert result.ignored_duplicates == 2
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 0


def test_a_mark_on_a_nodule_and_an_excluded_finding_is_a_hit():
    result = judged([(0, 0, 0, 0, 0.9)], [(0, 1, 0, 0, 8)], [(0, 0, 0, 0, -1)])
    assert result.fate.tolist() == [PredictionOutcome.BEST_ON_NODULE]
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == 0


def test_a_mark_on_two_excluded_findings_is_ignored_once():
    result = judged([(0, 0, 0, 0, 0.9)], [], [(0, 1, 0, 0, -1), (0, -1, 0, 0, -1)])
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == 1


def test_a_mark_of_another_scan_hits_nothing():
    assert judged([(1, 0, 0, 0, 0.9)], [(0, 0, 0, 0, 8)], scans=2).true_positives == 0


def test_without_false_positives_every_rate_reads_the_share_that_is_found():
    result = judged([(0, 0, 0, 0, 0.9)], [(0, 0, 0, 0, 8), (0, 50, 0, 0, 8)])
    assert sensitivity_at(result.entries).tolist() == [0.5] * 7


def test_without_any_mark_the_sensitivity_is_zero():
    assert sensitivity_at(judged([], [(0, 0, 0, 0, 8)]).entries).tolist() == [0.0] * 7


def test_empty_scans_stand_in_the_division():
    # one false positive above the only hit: on 1 scan it is 1 a scan, on 4 scans 0.25
    rows = [(0, 99, 0, 0, 0.9), (0, 0, 0, 0, 0.5)]
    one = judged(rows, [(0, 0, 0, 0, 8)], scans=1)
    four = judged(rows, [(0, 0, 0, 0, 8)], scans=4)
    assert sensitivity_at(one.entries).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert sensitivity_at(four.entries).tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_marks_of_one_score_enter_together_and_the_line_between_is_read():
    # a hit and 2 false positives tie on one scan: from (0, 0) straight to (2, 1)
    rows = [(0, 0, 0, 0, 0.5), (0, 50, 0, 0, 0.5), (0, 99, 0, 0, 0.5)]
    result = judged(rows, [(0, 0, 0, 0, 8)])
    assert sensitivity_at(result.entries).tolist() == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1, 1]


def test_beyond_the_last_false_positive_the_curve_stays_at_the_share_found():
    rows = [(0, 99, 0, 0, 0.9), (0, 0, 0, 0, 0.5)]
    result = judged(rows, [(0, 0, 0, 0, 8), (0, 50, 0, 0, 8)])
    assert sensitivity_at(result.entries, [8.0]).tolist() == [0.5]  # the missed one never enters


def random_challenge(rng):
    scans = int(rng.integers(1, 6))

    def rows(most, last):
        count = int(rng.integers(most))
        places = rng.integers(-6, 7, size=(count, 3))  # whole numbers: rims and overlaps abound
        return [(int(rng.integers(scans)), *map(float, place), float(last())) for place in places]

    def diameter():
        return rng.choice([-1, 2, 4, 6, 10])

    def score():
        return rng.integers(30) / 30

    nodules = [(0, 0.0, 0.0, 0.0, 4.0), *rows(8, diameter)]
    return scans, nodules, rows(12, diameter), rows(int(rng.choice([5, 60, 400])), score)


@pytest.mark.parametrize("seed", range(150))
def test_a_random_submission_agrees_with_the_slow_reading(seed):
    scans, nodules, excluded, mark_rows = random_challenge(np.random.default_rng(seed))
    counts, curve = slow_luna16(range(scans), nodules, excluded, mark_rows, RATES)
    result = judged(mark_rows, nodules, excluded, scans)
    assert counts == {
        "true_positives": result.true_positives,
        "false_positives": result.count(PredictionOutcome.FALSE_POSITIVE),
        "ignored_excluded": result.count(PredictionOutcome.IGNORED_EXCLUDED),
        "ignored_duplicates": result.ignored_duplicates,
    }
    np.testing.assert_allclose(sensitivity_at(result.entries), curve, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_a_resampling_agrees_with_the_slow_reading_of_the_drawn_scans(seed):
    rng = np.random.default_rng(seed)
    scans, nodules, excluded, mark_rows = random_challenge(rng)
    counts = draw_counts(scans, resamplings=5, seed=seed)
    fast = resampled_sensitivity_at(judged(mark_rows, nodules, excluded, scans).entries, counts)
    for row, drawn in zip(fast, counts, strict=True):
        copies = [(scan, k) for scan in range(scans) for k in range(drawn[scan])]

        def copied(rows, copies=copies):
            return [((s, k), *row[1:]) for s, k in copies for row in rows if row[0] == s]

        if not copied(nodules):
            assert np.isnan(row).all()
            continue
        slow = slow_luna16(copies, copied(nodules), copied(excluded), copied(mark_rows), RATES)[1]
        np.testing.assert_allclose(row, slow, rtol=0, atol=1e-9)


def test_a_bootstrap_draws_as_many_scans_as_there_are():
    counts = draw_counts(7, resamplings=50, seed=1)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts == draw_counts(7, resamplings=50, seed=1)).all()
    assert (counts != draw_counts(7, resamplings=50, seed=2)).any()


def test_the_interval_reads_the_26th_and_the_976th_of_1000():
    values = np.random.default_rng(0).permutation(1000)[:, None].astype(float)
    assert interval(values).tolist() == [[25.0, 975.0]]


@pytest.mark.real
@pytest.mark.skipif(not REAL.exists(), reason="../shared/real/luna16 is missing")
def test_the_known_result_of_the_official_script_is_met():
    known = REAL / "known-result"
    expected = json.loads((known / "expected.json").read_text())
    scans = read_scan_list(known / "seriesuids.csv")
    result = judge(
        read_predictions(known / "submission.csv", scans),
        read_findings(REAL / "annotations.csv", scans),
        read_findings(REAL / "annotations_excluded.csv", scans),
        scans=len(scans.uids),
    )
    assert len(scans.uids) == expected["scans"]
    assert len(result.best_mark) == expected["nodules"]
    assert result.true_positives == expected["true_positives"]
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == expected["false_positives"]
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == expected["ignored_excluded"]
    assert result.ignored_duplicates == expected["ignored_duplicates"]
    assert len(result.fate) == expected["predictions_within_limit"]
    curve = sensitivity_at(result.entries)
    assert curve == pytest.approx(list(expected["sensitivity"].values()), abs=1e-6)
    assert curve.mean() == pytest.approx(expected["cpm"], abs=1e-6)

    counts = draw_counts(len(scans.uids), resamplings=1000, seed=0)
    ends = interval(resampled_sensitivity_at(result.entries, counts))
    official = np.array(list(expected["bootstrap_1000_of_the_official_script"].values()))
    np.testing.assert_allclose(ends, official[:, 1:], atol=0.02)
