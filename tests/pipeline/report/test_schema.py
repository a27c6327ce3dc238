import pytest
from pydantic import ValidationError

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.pipeline.assessment.study_class import study_class
from hounsfield.pipeline.report.build import build_report
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.codes import Notice, NoticeCode
from hounsfield.preprocessing.discovery import discover
from tests.pipeline.scripted import make_report
from tests.preprocessing.volumes import make_volume


def test_a_report_survives_its_json():
    report = make_report(scores=(0.9, 0.5))
    assert Report.model_validate_json(report.as_json()) == report


def test_no_field_of_a_report_is_a_persons_name():
    assert "patient_name" not in make_report().as_json()
    with pytest.raises(ValidationError):
        make_report(patient_name="Doe^Jane")


def test_the_likeliest_class_is_the_one_with_the_largest_probability():
    assert make_report().findings[0].likeliest_class == "large_cell_carcinoma"


def test_a_report_names_files_without_the_folders_that_may_bear_a_name(tmp_path):
    made = make_report()
    save_series(ct_datasets(make_volume()), tmp_path / "DOE JANE")
    (series,) = discover([tmp_path]).series
    slice_path = series.sources[3]
    report = build_report(
        make_volume(),
        series=series,
        findings=(),
        risks=(),
        study_class=study_class(()),
        candidates=(),
        proposals=(),
        growth=None,
        notices=[
            Notice(
                NoticeCode.MISSING_SLICES_FILLED,
                f"{slice_path.name} is cut off",
                path=str(slice_path),
            )
        ],
        provenance=made.provenance,
        times=made.times,
    )
    assert report.notices[0].message == f"{slice_path.name} is cut off"
    assert "JANE" not in report.as_json()
