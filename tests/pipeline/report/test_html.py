import re

import pytest

from hounsfield.pipeline.batch.csv_tables import WorklistRow
from hounsfield.pipeline.report.html import INDEX_ROWS, lead_sentence, report_page, write_index
from hounsfield.pipeline.report.schema import RESEARCH_CLASSES, RESEARCH_USE, ActivationMapDocument
from tests.pipeline.scripted import make_report

CLASS_CELLS = ("normal", 0.1, 0.1, 0.1, 0.7, "review")
PICTURES = {f"finding_{number:02d}.png": b"png" for number in (1, 2)} | {"key_image.png": b"png"}


@pytest.fixture
def page():
    return report_page(make_report(scores=(0.9, 0.5)), PICTURES)


def test_a_report_needs_no_other_file_no_script_and_no_network(page):
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_every_class_is_shown_with_its_band_and_the_research_statement(page):
    assert RESEARCH_USE in page
    findings = page.split('<section class="finding">')[1:]
    assert len(findings) == 2
    for finding in findings:
        assert "large cell carcinoma" in finding
        assert 'class="chip review"' in finding
        assert RESEARCH_CLASSES in finding


def test_the_class_of_the_study_stands_above_the_findings_with_band_rule_and_research_statement(
    page,
):
    top = page.split('<section class="key">')[0]
    assert "Study's class: <strong>large cell carcinoma</strong> 0.62" in top
    assert "from finding 1" in top
    assert 'class="chip review"' in top
    assert "So." in top
    assert RESEARCH_CLASSES in top
    without = report_page(make_report(scores=()), {"key_image.png": b"png"})
    assert "Study's class: <strong>normal</strong>" in without
    assert "from finding" not in without


def test_a_finding_is_shown_with_its_evidence_only_where_there_is_some():
    report = make_report(scores=(0.9, 0.5))
    why = ActivationMapDocument(picture="finding_01_cam.png", file="finding_01_cam.nii.gz")
    first = report.findings[0].model_copy(update={"activation_map": why})
    report = report.model_copy(update={"findings": (first, report.findings[1])})
    page = report_page(report, PICTURES | {"finding_01_cam.png": b"why"})
    first, second = page.split('<section class="finding">')[1:]
    assert 'class="why"' in first
    assert "proves no diagnosis" in first
    assert "Why" not in second


def test_a_report_without_findings_does_not_speak_of_marks():
    page = report_page(make_report(scores=()), {"key_image.png": b"png"})
    assert "No finding above the operating point." in page
    assert "marked" not in page


def test_what_a_header_says_cannot_become_markup():
    page = report_page(make_report(series_description="<b>bold</b>"), PICTURES)
    assert "<b>" not in page
    assert "&lt;b&gt;bold" in page


def test_the_first_sentence_tells_how_many_and_the_most_suspicious():
    assert lead_sentence(make_report(scores=())) == "No finding above the operating point."
    one = lead_sentence(make_report(scores=(0.9,)))
    assert one == "One finding: 10.0 mm, left lung, upper zone."
    two = lead_sentence(make_report(scores=(0.9, 0.5)))
    assert two == "2 findings; the most suspicious is number 1: 10.0 mm, left lung, upper zone."


def test_the_headline_and_the_key_image_are_of_the_finding_that_decides_the_study_s_class():
    report = make_report(scores=(0.9, 0.5))
    second = report.study_class.model_copy(update={"finding": 2})
    page = report_page(report.model_copy(update={"study_class": second}), PICTURES)
    assert "the most suspicious is number 2: 11.0 mm" in page
    assert "axial slice through finding 2" in page


def test_the_index_stays_small_however_many_studies_there_are(tmp_path):
    row = WorklistRow(
        "1", "1.1", "p", "20000131", "analysed", "", 1, 0.9, 9.0, *CLASS_CELLS, "", "x/report.html"
    )
    path = write_index(tmp_path, [row] * (INDEX_ROWS + 5), {("analysed", ""): INDEX_ROWS + 5})
    text = path.read_text()
    assert text.count('href="x/report.html"') == INDEX_ROWS
    assert f"all {INDEX_ROWS + 5} are in worklist.csv" in text
