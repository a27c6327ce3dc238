"""Every rule of the protocol, worked out by hand and compared with a reference implementation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hounsfield.pipeline.evaluation.bootstrap import draw_counts, interval
from hounsfield.pipeline.evaluation.luna16.froc import (
    RATES,
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
from hounsfield.pipeline.evaluation.luna16.protocol import PredictionOutcome, match_predictions
from tests.pipeline.evaluation.reference_luna16 import reference_luna16
from tests.real_series import REAL, needs_real_series

LUNA16 = REAL / "luna16"


def findings(rows=()):
    table = np.array(list(rows), float).reshape(-1, 5)
    return Findings(table[:, 0].astype(int), table[:, 1:4], table[:, 4])


def predictions(rows=()):
    table = np.array(list(rows), float).reshape(-1, 5)
    scan = table[:, 0].astype(int)
    rows_in_file = list(range(2, len(table) + 2))
    return Predictions(scan, [str(s) for s in scan], table[:, 1:4], table[:, 4], rows_in_file)


def matched(prediction_rows, nodule_rows, excluded_rows=(), scans=1):
    return match_predictions(
        predictions(prediction_rows), findings(nodule_rows), findings(excluded_rows), scans=scans
    )


def test_a_prediction_on_the_rim_misses_and_one_just_inside_hits():
    # diameter 10 mm: a prediction at exactly 5 mm (3, 4, 0) is outside, since 25 < 25 is false
    assert matched([(0, 3, 4, 0, 0.9)], [(0, 0, 0, 0, 10)]).outcome.tolist() == [
        PredictionOutcome.FALSE_POSITIVE
    ]
    assert matched([(0, 3, 3.999, 0, 0.9)], [(0, 0, 0, 0, 10)]).true_positives == 1


def test_a_negative_diameter_counts_as_10_mm():
    rows = [(0, 4.9, 0, 0, 0.5), (0, 5.0, 0, 0, 0.4)]
    assert matched(rows, [(0, 0, 0, 0, -1)]).outcome.tolist() == [
        PredictionOutcome.BEST_ON_NODULE,
        PredictionOutcome.FALSE_POSITIVE,
    ]
    assert matched(rows, [], [(0, 0, 0, 0, -1)]).outcome.tolist() == [
        PredictionOutcome.IGNORED_EXCLUDED,
        PredictionOutcome.FALSE_POSITIVE,
    ]


def test_ties_with_the_101st_score_are_all_dropped():
    # 99 predictions above, then four of equal score across the limit: 99 stay, not 100
    rows = [(0, 100 + i, 0, 0, 1 + i) for i in range(99)] + [(0, 0, i, 0, 0.5) for i in range(4)]
    result = matched(rows, [(0, 0, 0, 0, 4)])
    assert result.count(PredictionOutcome.OVER_LIMIT) == 4
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 99
    assert result.true_positives == 0  # the only predictions on the nodule were among the ties


def test_101_equal_scores_leave_no_prediction_and_100_leave_all():
    for count, dropped in ((101, 101), (100, 0)):
        result = matched([(0, i, 9, 9, 0.5) for i in range(count)], [])
        assert result.count(PredictionOutcome.OVER_LIMIT) == dropped


def test_the_limit_applies_to_each_scan():
    rows = [(scan, i, 9, 9, i) for scan in (0, 1) for i in range(100)]
    assert matched(rows, [], scans=2).count(PredictionOutcome.OVER_LIMIT) == 0


def test_a_prediction_on_two_nodules_detects_both_and_is_no_duplicate():
    result = matched([(0, 0, 0, 0, 0.9)], [(0, 1, 0, 0, 8), (0, -1, 0, 0, 8)])
    assert result.true_positives == 2
    assert result.ignored_duplicates == 0
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 0


def test_the_best_prediction_on_a_nodule_counts_and_the_others_are_ignored():
    rows = [(0, 1, 0, 0, 0.2), (0, 0, 0, 0, 0.7), (0, 0, 1, 0, 0.7)]
    result = matched(rows, [(0, 0, 0, 0, 8)])
    assert result.best_prediction.tolist() == [1]
    assert result.entries.nodule_score.tolist() == [0.7]
    assert result.ignored_duplicates == 2
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == 0


def test_a_prediction_on_a_nodule_and_an_excluded_finding_is_a_hit():
    result = matched([(0, 0, 0, 0, 0.9)], [(0, 1, 0, 0, 8)], [(0, 0, 0, 0, -1)])
    assert result.outcome.tolist() == [PredictionOutcome.BEST_ON_NODULE]
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == 0


def test_a_prediction_on_two_excluded_findings_is_ignored_once():
    result = matched([(0, 0, 0, 0, 0.9)], [], [(0, 1, 0, 0, -1), (0, -1, 0, 0, -1)])
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == 1


def test_a_prediction_on_another_scan_hits_nothing():
    assert matched([(1, 0, 0, 0, 0.9)], [(0, 0, 0, 0, 8)], scans=2).true_positives == 0


def test_without_false_positives_every_rate_has_the_detected_fraction():
    result = matched([(0, 0, 0, 0, 0.9)], [(0, 0, 0, 0, 8), (0, 50, 0, 0, 8)])
    assert sensitivity_at(result.entries).tolist() == [0.5] * 7


def test_without_predictions_the_sensitivity_is_zero():
    assert sensitivity_at(matched([], [(0, 0, 0, 0, 8)]).entries).tolist() == [0.0] * 7


def test_empty_scans_count_in_the_division():
    # one false positive above the only hit: on 1 scan it is 1 per scan, on 4 scans 0.25
    rows = [(0, 99, 0, 0, 0.9), (0, 0, 0, 0, 0.5)]
    one_scan = matched(rows, [(0, 0, 0, 0, 8)], scans=1)
    four_scans = matched(rows, [(0, 0, 0, 0, 8)], scans=4)
    assert sensitivity_at(one_scan.entries).tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert sensitivity_at(four_scans.entries).tolist() == [0, 1, 1, 1, 1, 1, 1]


def test_predictions_of_equal_score_enter_together_with_a_line_between():
    # a hit and 2 false positives tie on one scan: from (0, 0) straight to (2, 1)
    rows = [(0, 0, 0, 0, 0.5), (0, 50, 0, 0, 0.5), (0, 99, 0, 0, 0.5)]
    result = matched(rows, [(0, 0, 0, 0, 8)])
    assert sensitivity_at(result.entries).tolist() == [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 1, 1]


def test_beyond_the_last_false_positive_the_curve_stays_at_the_detected_fraction():
    rows = [(0, 99, 0, 0, 0.9), (0, 0, 0, 0, 0.5)]
    result = matched(rows, [(0, 0, 0, 0, 8), (0, 50, 0, 0, 8)])
    assert sensitivity_at(result.entries, [8.0]).tolist() == [0.5]  # the missed nodule never enters


def random_challenge(rng):
    scans = int(rng.integers(1, 6))

    def rows(limit, last):
        count = int(rng.integers(limit))
        centres = rng.integers(-6, 7, size=(count, 3))  # integers give many rims and overlaps
        return [(int(rng.integers(scans)), *map(float, xyz), float(last())) for xyz in centres]

    def diameter():
        return rng.choice([-1, 2, 4, 6, 10])

    def score():
        return rng.integers(30) / 30

    nodules = [(0, 0.0, 0.0, 0.0, 4.0), *rows(8, diameter)]
    return scans, nodules, rows(12, diameter), rows(int(rng.choice([5, 60, 400])), score)


@pytest.mark.parametrize("seed", range(150))
def test_a_random_submission_agrees_with_the_reference(seed):
    scans, nodules, excluded, prediction_rows = random_challenge(np.random.default_rng(seed))
    counts, curve = reference_luna16(range(scans), nodules, excluded, prediction_rows, RATES)
    result = matched(prediction_rows, nodules, excluded, scans)
    assert counts == {
        "true_positives": result.true_positives,
        "false_positives": result.count(PredictionOutcome.FALSE_POSITIVE),
        "ignored_excluded": result.count(PredictionOutcome.IGNORED_EXCLUDED),
        "ignored_duplicates": result.ignored_duplicates,
    }
    np.testing.assert_allclose(sensitivity_at(result.entries), curve, rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_a_resampling_agrees_with_the_reference_on_the_drawn_scans(seed):
    rng = np.random.default_rng(seed)
    scans, nodules, excluded, prediction_rows = random_challenge(rng)
    counts = draw_counts(scans, resamplings=5, seed=seed)
    resampled = resampled_sensitivity_at(
        matched(prediction_rows, nodules, excluded, scans).entries, counts
    )
    for row, drawn in zip(resampled, counts, strict=True):
        copies = [(scan, k) for scan in range(scans) for k in range(drawn[scan])]

        def copied(rows, copies=copies):
            return [((s, k), *row[1:]) for s, k in copies for row in rows if row[0] == s]

        if not copied(nodules):
            assert np.isnan(row).all()
            continue
        expected = reference_luna16(
            copies, copied(nodules), copied(excluded), copied(prediction_rows), RATES
        )[1]
        np.testing.assert_allclose(row, expected, rtol=0, atol=1e-9)


def test_a_bootstrap_draws_as_many_scans_as_there_are():
    counts = draw_counts(7, resamplings=50, seed=1)
    assert (counts.sum(axis=1) == 7).all()
    assert (counts == draw_counts(7, resamplings=50, seed=1)).all()
    assert (counts != draw_counts(7, resamplings=50, seed=2)).any()


def test_the_interval_reads_the_26th_and_the_976th_of_1000():
    values = np.random.default_rng(0).permutation(1000)[:, None].astype(float)
    assert interval(values).tolist() == [[25.0, 975.0]]


@pytest.mark.real
@needs_real_series
def test_the_result_of_the_official_script_is_reproduced():
    known = LUNA16 / "known-result"
    expected = json.loads((known / "expected.json").read_text())
    scans = read_scan_list(known / "seriesuids.csv")
    result = match_predictions(
        read_predictions(known / "submission.csv", scans),
        read_findings(LUNA16 / "annotations.csv", scans),
        read_findings(LUNA16 / "annotations_excluded.csv", scans),
        scans=len(scans.uids),
    )
    assert len(scans.uids) == expected["scans"]
    assert len(result.best_prediction) == expected["nodules"]
    assert result.true_positives == expected["true_positives"]
    assert result.count(PredictionOutcome.FALSE_POSITIVE) == expected["false_positives"]
    assert result.count(PredictionOutcome.IGNORED_EXCLUDED) == expected["ignored_excluded"]
    assert result.ignored_duplicates == expected["ignored_duplicates"]
    assert len(result.outcome) == expected["marks_after_the_cap"]
    curve = sensitivity_at(result.entries)
    assert curve == pytest.approx(list(expected["sensitivity"].values()), abs=1e-6)
    assert curve.mean() == pytest.approx(expected["cpm"], abs=1e-6)

    counts = draw_counts(len(scans.uids), resamplings=1000, seed=0)
    ends = interval(resampled_sensitivity_at(result.entries, counts))
    official = np.array(list(expected["bootstrap_1000_of_the_official_script"].values()))
    np.testing.assert_allclose(ends, official[:, 1:], atol=0.02)
