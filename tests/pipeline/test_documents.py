import pytest
from pydantic import ValidationError

from pipeline.documents import Report
from tests.pipeline.scripted import make_report


def test_a_report_survives_its_json():
    report = make_report(scores=(0.9, 0.5))
    assert Report.model_validate_json(report.as_json()) == report


def test_no_field_of_a_report_is_a_persons_name():
    assert "patient_name" not in make_report().as_json()
    with pytest.raises(ValidationError):
        make_report(patient_name="Doe^Jane")


def test_the_likeliest_class_is_the_one_with_the_largest_probability():
    assert make_report().findings[0].likeliest_class == "large_cell_carcinoma"
