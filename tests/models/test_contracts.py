import pytest

from hounsfield.models.findings import ConfidenceBand, confidence_band


@pytest.mark.parametrize(
    ("largest", "band"),
    [
        (0.86, ConfidenceBand.HIGH),
        (0.85, ConfidenceBand.REVIEW),
        (0.60, ConfidenceBand.REVIEW),
        (0.599, ConfidenceBand.UNCERTAIN),
    ],
)
def test_the_band_follows_the_largest_probability_and_review_includes_both_limits(largest, band):
    rest = (1 - largest) / 3
    assert confidence_band((rest, largest, rest, rest)) is band
