"""The class of a study is that of its most suspicious finding."""

import pytest

from hounsfield.models.contracts import NoduleClass
from hounsfield.pipeline.analysis.study_class import NO_FINDING, RULE, study_class
from tests.pipeline.scripted import make_report


def findings(*rows):
    """Findings of (score, p_adenocarcinoma, band); the rest of each is normal."""
    made = make_report(scores=[score for score, *_ in rows]).findings
    return [
        one.model_copy(
            update={
                "class_probabilities": dict(zip(NoduleClass, (p, 0.0, 0.0, 1 - p), strict=True)),
                "confidence_band": band,
            }
        )
        for one, (_, p, band) in zip(made, rows, strict=True)
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
    found = findings(*rows)
    given = study_class(found)
    one = found[decisive - 1]
    assert given.finding == decisive
    assert given.class_probabilities == one.class_probabilities
    assert given.likeliest_class == one.likeliest_class
    assert given.confidence_band == one.confidence_band
    assert given.rule == RULE


def test_a_study_without_findings_is_called_normal_and_says_that_nothing_was_found():
    given = study_class([])
    assert given.likeliest_class == "normal"
    assert given.rule == NO_FINDING
    assert (given.class_probabilities, given.confidence_band, given.finding) == (None, None, None)
