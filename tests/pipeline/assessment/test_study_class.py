"""The class of a study is that of its most suspicious finding."""

import pytest

from hounsfield.models.findings import ConfidenceBand
from hounsfield.pipeline.assessment.study_class import NO_FINDING, RULE, study_class
from tests.pipeline.assessment.findings import make_finding


def findings(*rows):
    """Findings of (score, p_adenocarcinoma, band); the rest of each is normal."""
    return [
        make_finding(
            score=score,
            class_probabilities=(p, 0.0, 0.0, 1 - p),
            confidence_band=ConfidenceBand(band),
        )
        for score, p, band in rows
    ]


@pytest.mark.parametrize(
    ("rows", "decisive"),
    [
        ([(0.9, 0.2, "review"), (0.5, 0.9, "high")], 2),  # 0.18 against 0.45
        ([(0.9, 0.6, "review"), (0.5, 0.9, "high")], 1),  # 0.54 against 0.45
        ([(0.9, 0.9, "out_of_distribution"), (0.3, 0.1, "high")], 2),
        ([(0.9, 0.9, "out_of_distribution"), (0.8, 0.95, "out_of_distribution")], 1),
        ([(0.5, 0.5, "uncertain"), (0.5, 0.5, "uncertain")], 1),
    ],
    ids=[
        "more cancer",
        "better score",
        "unlike training last",
        "all unlike",
        "the first of equals",
    ],
)
def test_the_largest_probability_of_cancer_times_score_decides(rows, decisive):
    made = findings(*rows)
    derived = study_class(made)
    assert derived.finding == decisive
    assert derived.likeliest_class is made[decisive - 1].likeliest_class
    assert derived.rule == RULE


def test_a_study_without_findings_is_called_normal_and_says_that_nothing_was_found():
    derived = study_class([])
    assert derived.likeliest_class == "normal"
    assert derived.rule == NO_FINDING
    assert derived.finding is None
