import pytest

from hounsfield.pipeline.report.labels import measurement_rows, measurement_text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("volume_mm3", 523.6, "524 mm\u00b3"),
        ("texture", "part_solid", "part-solid"),
        ("malignancy", 0.001, "under 1%"),
        ("malignancy", 0.714, "71%"),
        ("malignancy", 0.999, "over 99%"),
    ],
)
def test_a_measurement_is_shown_with_its_unit_and_without_certainty(name, value, text):
    assert measurement_text({name: value}, name) == text


def test_missing_measurements_are_not_shown():
    assert measurement_text({}, "volume_mm3") is None
    assert list(measurement_rows({"unknown_mm": 3.0})) == []


def test_measurements_are_shown_in_a_fixed_order():
    rows = list(measurement_rows({"malignancy": 0.5, "volume_mm3": 100.0}))
    assert [label for label, _ in rows] == ["Volume", "Malignancy rating"]
