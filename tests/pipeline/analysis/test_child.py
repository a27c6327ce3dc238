"""A child's study: findings, a sentence, and no category anywhere."""

from dataclasses import replace

import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom, write_phantom
from hounsfield.models.findings import ConfidenceBand
from hounsfield.pipeline.batch.csv_tables import read_findings, read_worklist
from tests.pipeline.analysis.test_series import analyse, read_report


@pytest.fixture(scope="module")
def child(tmp_path_factory):
    """The folder of a study of a 1-year-old with one nodule, and the identifier of the patient."""
    folder = tmp_path_factory.mktemp("child")
    phantom = make_phantom(3, settings=SMALL, nodules=[NoduleSpec(diameter_mm=20.0)])
    facts = replace(phantom.volume.series, patient_age_years=1.0)
    volume = replace(phantom.volume, series=facts)
    write_phantom(replace(phantom, volume=volume), folder / "input", formats=["dicom"])
    return folder, facts.patient_id


def test_a_child_gets_findings_and_a_sentence_but_no_category(child):
    folder, _ = child
    analyse(folder, folder / "out", segmenter=True)
    series, report = read_report(folder / "out")
    assert report.findings
    assert report.verdict == "analysed_with_notices"
    assert report.notices[0].code == "outside_training"
    assert len(report.guidelines) == 3
    for guideline in report.guidelines:
        assert (guideline.category, guideline.follow_up) == (None, ())
        assert set(guideline.findings) == {""}
        assert "this one is 1 year old" in guideline.outside_population
    bands = {finding.confidence_band for finding in report.findings}
    assert bands == {ConfidenceBand.OUT_OF_DISTRIBUTION}
    page = (series / "report.html").read_text()
    lead = page.split('class="lead">')[1].split("</p>")[0]
    assert lead.startswith(
        "The patient is 1\u00a0year old, and every network was trained on adults"
    )
    assert "4B" not in page.split("base64")[0]
    assert {row["lung_rads"] for row in read_findings(folder / "out")} == {""}
    (row,) = read_worklist(folder / "out")
    assert "outside_training" in row["notices"]


def test_the_clinical_table_may_say_that_the_child_is_an_adult(child):
    folder, patient_id = child
    table = folder / "clinical.csv"
    table.write_text(f"patient_id,age\n{patient_id},61\n")
    analyse(folder, folder / "corrected", segmenter=True, clinical=table)
    _, report = read_report(folder / "corrected")
    assert report.notices[0].code == "header_conflict"
    assert all(guideline.category for guideline in report.guidelines)
    assert report.refused_risks == ()


def test_a_child_in_the_clinical_table_gets_no_risk_and_the_reason(child):
    folder, patient_id = child
    table = folder / "child.csv"
    table.write_text(f"patient_id,smoker\n{patient_id},no\n")
    analyse(folder, folder / "risks", segmenter=True, clinical=table)
    series, report = read_report(folder / "risks")
    assert {finding.risks for finding in report.findings} == {()}
    assert len(report.refused_risks) == 2
    assert (
        "Mayo gives no probability: it is for patients from 18"
        in (series / "report.html").read_text()
    )
