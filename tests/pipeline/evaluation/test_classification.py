"""Metrics of a classifier, worked out by hand and by loops, and the size-only baseline."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from hounsfield.pipeline.evaluation.classification.command import (
    classification_command,
    classification_summary,
)
from hounsfield.pipeline.evaluation.classification.metrics import (
    CLASSES,
    METRICS,
    Cases,
    weighted_metrics,
)
from hounsfield.pipeline.evaluation.classification.size_baseline import size_only_probabilities
from hounsfield.preprocessing.errors import UsageError

HEADER = "patient_id,case_id,true_class," + ",".join(f"p_{name}" for name in CLASSES)


def metrics_of(true_class, probabilities, weights=None):
    truth = np.array(true_class)
    weights = np.ones(len(truth), np.int32) if weights is None else weights
    row = weighted_metrics(truth, np.array(probabilities, float), weights[None])[0]
    return dict(zip(METRICS, row.tolist(), strict=True))


def random_cases(seed, count=60):
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=count)
    probabilities = rng.multinomial(10, [0.25] * 4, size=count) / 10  # tenths: ties abound
    return truth, probabilities


def test_the_metrics_of_four_cases_worked_out_by_hand():
    metrics = metrics_of(
        [0, 0, 1, 3],
        [[0.7, 0.1, 0.1, 0.1], [0.2, 0.6, 0.1, 0.1], [0.3, 0.5, 0.1, 0.1], [0, 0, 0, 1]],
    )
    assert metrics["sensitivity/adenocarcinoma"] == 0.5
    assert metrics["specificity/large_cell_carcinoma"] == pytest.approx(2 / 3)
    assert np.isnan(metrics["sensitivity/squamous_cell_carcinoma"])  # no such case
    assert metrics["balanced_accuracy"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    # adenocarcinoma: 0.7 and 0.2 against 0.3 and 0: three of four pairs are in order
    assert metrics["auc/adenocarcinoma"] == 0.75
    # bins: 0.7 right, 0.6 wrong, 0.5 right, 1.0 right
    assert metrics["expected_calibration_error"] == pytest.approx((0.3 + 0.6 + 0.5 + 0) / 4)
    brier = (0.09 + 0.03) + (0.64 + 0.36 + 0.02) + (0.09 + 0.25 + 0.02) + 0
    assert metrics["brier_score"] == pytest.approx(brier / 4)


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_mann_whitney_statistic_with_ties(seed):
    truth, probabilities = random_cases(seed)
    metrics = metrics_of(truth, probabilities)
    for k, name in enumerate(CLASSES):
        of_class, others = probabilities[truth == k, k], probabilities[truth != k, k]
        expected = mannwhitneyu(of_class, others).statistic / len(of_class) / len(others)
        assert metrics[f"auc/{name}"] == pytest.approx(expected)


def test_a_weight_of_two_counts_a_case_twice():
    truth, probabilities = random_cases(7)
    weights = np.random.default_rng(7).integers(3, size=len(truth)).astype(np.int32)
    repeated = np.repeat(np.arange(len(truth)), weights)
    assert metrics_of(truth, probabilities, weights) == pytest.approx(
        metrics_of(truth[repeated], probabilities[repeated]), nan_ok=True
    )


def sized_cases(diameter_mm, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(2, size=200) * 3  # adenocarcinoma or normal
    sizes = diameter_mm(truth, rng)
    return Cases(np.arange(200) // 2, truth, np.full((200, 4), 0.25), sizes)


def test_the_baseline_learns_from_size_and_nothing_else():
    informative = sized_cases(
        lambda truth, rng: np.where(truth == 0, 30, 5) + rng.uniform(0, 2, 200)
    )
    metrics = metrics_of(informative.true_class, size_only_probabilities(informative))
    assert metrics["balanced_accuracy"] == 1
    uninformative = sized_cases(lambda _, rng: rng.uniform(4, 30, 200))
    metrics = metrics_of(uninformative.true_class, size_only_probabilities(uninformative))
    assert metrics["macro_auc"] == pytest.approx(0.5, abs=0.1)


def test_the_baseline_is_not_trained_on_the_patient_it_predicts():
    # each patient has a size of its own: only a leak could learn its class from it
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(60), 10)
    truth = np.repeat(rng.integers(2, size=60) * 3, 10)
    cases = Cases(patient, truth, np.full((600, 4), 0.25), np.repeat(rng.uniform(4, 30, 60), 10))
    before = size_only_probabilities(cases)
    other = truth.copy()
    other[patient == 0] = 3 - other[patient == 0]
    after = size_only_probabilities(Cases(patient, other, cases.probabilities, cases.diameter_mm))
    np.testing.assert_array_equal(before[patient == 0], after[patient == 0])


def table(tmp_path, rows, header=HEADER):
    path = tmp_path / "cases.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def good_rows(count=40):
    truth, probabilities = random_cases(1, count)
    return [
        f"P{i // 2},{i},{CLASSES[k]}," + ",".join(f"{p:.3f}" for p in row)
        for i, (k, row) in enumerate(zip(truth, probabilities, strict=True))
    ]


def test_the_command_writes_document_plots_and_page(tmp_path):
    rows = [f"{row},{4 + i}" for i, row in enumerate(good_rows())]
    path = table(tmp_path, rows, HEADER + ",diameter_mm")
    classification_command(predictions=path, out=tmp_path / "out", resamplings=30)
    document = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert (document["cases"], document["patients"]) == (40, 20)
    assert sum(map(sum, document["model"]["confusion_matrix"])) == 40
    assert set(document["size_only_baseline"]["interval_95"]) == set(METRICS)
    assert document["notices"] == []
    page = (tmp_path / "out" / "index.html").read_text()
    assert "Size-only baseline" in page
    assert "<svg" in page
    assert (tmp_path / "out" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_a_bootstrap_draws_all_cases_of_a_patient_together(tmp_path):
    # each case three times: three cases of one patient carry no more evidence than one
    def width(patient_of):
        rows = [
            f"{patient_of(i, k)},{i}-{k},{row.split(',', 2)[2]}"
            for k in range(3)
            for i, row in enumerate(good_rows(200))
        ]
        low, high = classification_command(
            predictions=table(tmp_path, rows), out=tmp_path / "out", resamplings=200
        ).model.interval_95["balanced_accuracy"]
        return high - low

    of_one_patient, of_three_patients = width(lambda i, _: i), width(lambda i, k: f"{i}-{k}")
    assert of_one_patient > 1.3 * of_three_patients  # the square root of three, less noise


def test_without_diameters_the_baseline_is_reported_to_know_frequencies_only(tmp_path):
    document = classification_command(
        predictions=table(tmp_path, good_rows()), out=tmp_path / "out", resamplings=5
    )
    assert document.notices[0].code == "diameters_missing"


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("P,1,mesothelioma,0.1,0.2,0.3,0.4", "row 2, column true_class: .*'mesothelioma'"),
        ("P,1,normal,0.1,0.2,0.3,1.4", "row 2, column p_normal: must be a probability"),
        ("P,1,normal,0.1,0.2,0.3,0.1", "row 2, columns p_.*must sum to 1, got 0.7"),
        ("P,1,normal,0.1,0.2,x,0.1", "row 2, column p_squamous_cell_carcinoma: .*'x'"),
        ("P,1,normal,0.1,0.2,0.3,0.4", "needs cases of at least 2 patients, got 1"),
    ],
)
def test_errors_name_row_and_column(tmp_path, row, sentence):
    with pytest.raises(UsageError, match=sentence):
        classification_command(predictions=table(tmp_path, [row]), out=tmp_path / "out")


def test_a_repeated_case_is_refused(tmp_path):
    row = "P,1,normal,0.1,0.2,0.3,0.4"
    with pytest.raises(UsageError, match="row 3, column case_id"):
        classification_command(predictions=table(tmp_path, [row, row]), out=tmp_path / "out")


@pytest.mark.parametrize("diameter", ["0", "-3", "inf"])
def test_a_diameter_that_is_not_above_0_is_refused(tmp_path, diameter):
    path = table(tmp_path, [f"P,1,normal,0.1,0.2,0.3,0.4,{diameter}"], HEADER + ",diameter_mm")
    with pytest.raises(UsageError, match="row 2, column diameter_mm: must be a diameter above 0"):
        classification_command(predictions=path, out=tmp_path / "out")


def test_an_empty_table_is_refused(tmp_path):
    with pytest.raises(UsageError, match="must hold at least one case, got none"):
        classification_command(predictions=table(tmp_path, []), out=tmp_path / "out")


def test_less_than_one_bootstrap_is_refused(tmp_path):
    with pytest.raises(UsageError, match="bootstraps must be 1 or more, got 0"):
        classification_command(
            predictions=table(tmp_path, good_rows()), out=tmp_path / "out", resamplings=0
        )


def test_the_summary_has_notices_metrics_beside_the_baseline_and_counts(tmp_path):
    document = classification_command(
        predictions=table(tmp_path, good_rows()), out=tmp_path / "out", resamplings=5
    )
    notice, accuracy, *_, counts = classification_summary(document)
    assert notice.startswith("WARNING diameters_missing: No diameter_mm is given")
    model, baseline = document.model, document.size_only_baseline
    assert accuracy == (
        f"Balanced accuracy: model {model.balanced_accuracy:.4f}, "
        f"size only {baseline.balanced_accuracy:.4f}"
    )
    assert counts == "40 cases of 20 patients"
    without = document.model_copy(update={"model": model.model_copy(update={"macro_auc": None})})
    assert any("Macro AUC: model not defined" in line for line in classification_summary(without))
