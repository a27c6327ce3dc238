"""The report page leads with findings and categories; classes are folded below."""

import re

import pytest

from hounsfield.models.findings import ConfidenceBand
from hounsfield.pipeline.report.html import report_page
from hounsfield.pipeline.report.schema import (
    RESEARCH_CLASSES,
    RESEARCH_USE,
    ActivationMapDocument,
    GuidelineDocument,
    NoticeDocument,
    RiskDocument,
)
from tests.pipeline.scripted import make_report

PICTURES = {f"finding_{number:02d}.png": b"png" for number in (1, 2)} | {"key_image.png": b"png"}
MEASURED = {
    "volume_mm3": 523.6,
    "mean_diameter_mm": 10.64,
    "texture": "part_solid",
    "malignancy": 0.714,
}


def guideline(**values):
    return GuidelineDocument.model_validate(
        {
            "name": "lung_rads_2022",
            "title": "Lung-RADS v2022",
            "source": "",
            "category": "4B",
            "meaning": "very suspicious",
            "follow_up": ("CT in 3 to 6 months.",),
            "not_assessed": ("growth",),
            "driven_by": (2,),
            "findings": ("2", "4B"),
        }
        | values
    )


def full_report(**values):
    """Two findings with measurements, a category, and notices of series and finding."""
    report = make_report(scores=(0.9, 0.5))
    contrast = NoticeDocument(code="contrast", message="Vessels measure 91 HU.")
    outside = NoticeDocument(code="outside_training", message="Unlike the training data.")
    second = report.findings[1].model_copy(update={"measurements": MEASURED, "notices": (outside,)})
    return report.model_copy(
        update={
            "findings": (report.findings[0], second),
            "notices": (contrast,),
            "guidelines": (guideline(),),
        }
        | values
    )


def page_of(report, *, shown=1):
    return report_page(report, PICTURES | {"finding_01_cam.png": b"cam"}, shown=shown)


def place_of(page, *texts):
    places = [page.index(text) for text in texts]
    assert places == sorted(places)


def test_a_report_needs_no_other_file_no_script_and_no_network():
    page = page_of(full_report())
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    sources = re.findall(r'src="([^"]{0,30})', page)
    assert len(sources) == 3
    assert all(source.startswith("data:image/png;base64,") for source in sources)


def test_findings_and_categories_come_first_then_the_key_image_each_finding_and_the_classes():
    place_of(
        page_of(full_report()),
        'class="lead"',
        "<th>Finding</th>",
        "Guideline categories",
        "Quality notices",
        'class="key"',
        'id="finding-1"',
        'id="finding-2"',
        "<details>",
        "Provenance",
    )


def test_the_table_of_findings_shows_size_texture_category_rating_and_notices():
    table = page_of(full_report(), shown=2).split("</table>")[0]
    row = table.split("<tr")[-1]
    for label, value in (
        ("Place", "left lung, upper zone"),
        ("Diameter", '<span>11.0 mm<br><span class="soft whole">axes 10.6 mm</span></span>'),
        ("Volume", "524 mm\u00b3"),
        ("Texture", "part-solid"),
        ("Score", "0.50"),
        ("Lung-RADS v2022", "4B"),
        ("Malignancy rating", "71%"),
        ("Notices", '<span class="chip">outside training</span>'),
    ):
        assert f'data-label="{label}">{value}</td>' in row
    assert row.startswith(' class="leading"')
    assert "not pathology" in page_of(full_report())


def test_classes_are_folded_with_their_band_and_the_research_statement():
    page = page_of(full_report())
    before, folded = page.split("<details>")
    folded, after = folded.split("</details>")
    for text in ("large cell carcinoma", "carcinoma", "squamous"):
        assert text not in before
        assert text not in after
    assert "<details open" not in page
    assert RESEARCH_USE in before
    assert RESEARCH_CLASSES in folded
    assert "Class of the study: <strong>large cell carcinoma</strong> 0.62" in folded
    assert "from finding 1" in folded
    assert "So." in folded
    classes = folded.split('<div class="finding-classes">')[1:]
    assert len(classes) == 2
    for finding in classes:
        assert "large cell carcinoma" in finding
        assert 'class="chip review"' in finding


def test_folded_classes_open_when_printed():
    style = page_of(full_report()).split("</style>")[0]
    printed = style.split("@media print")[1]
    assert "details::details-content { display: block; content-visibility: visible" in printed


def test_a_study_without_findings_has_a_class_without_a_finding():
    page = report_page(make_report(scores=()), {"key_image.png": b"png"}, shown=None)
    assert "Class of the study: <strong>normal</strong>" in page
    assert "from finding" not in page


def test_a_class_activation_map_is_shown_only_where_there_is_one():
    report = full_report()
    activation_map = ActivationMapDocument(
        picture="finding_01_cam.png", file="finding_01_cam.nii.gz"
    )
    first = report.findings[0].model_copy(update={"activation_map": activation_map})
    page = page_of(report.model_copy(update={"findings": (first, report.findings[1])}))
    first, second = page.split('<div class="finding-classes">')[1:]
    assert "Class activation map" in first
    assert "proves no diagnosis" in first
    assert "Class activation map" not in second


def test_a_report_without_findings_does_not_mention_rings_or_categories_of_findings():
    page = report_page(make_report(scores=()), {"key_image.png": b"png"}, shown=None)
    assert "No finding above the operating point" in page
    assert "axial slice through the middle of the lungs" in page
    assert "ringed" not in page
    assert 'class="finding"' not in page


def test_the_key_image_is_described_as_it_was_drawn():
    assert "axial slice through finding 2" in page_of(full_report(), shown=2)
    assert "axial slice through finding 1" in page_of(full_report(), shown=1)


def test_text_of_a_header_cannot_become_markup():
    report = make_report(scores=(0.9, 0.5), series_description="<b>bold</b>")
    page = page_of(report)
    assert "<b>bold" not in page
    assert "&lt;b&gt;bold" in page


@pytest.mark.parametrize(
    ("age_years", "words"), [(61.0, "61 years"), (1.0, "1 year"), (5 / 12, "5 months")]
)
def test_the_age_is_written_as_people_do(age_years, words):
    page = page_of(make_report(scores=(0.9, 0.5), patient_age_years=age_years))
    assert f"LIDC-IDRI-0001, F, {words}, 2000-01-31" in page


def test_a_number_stays_on_one_line_with_its_unit_and_its_range():
    page = page_of(full_report())
    assert "CT in 3\u00a0to\u00a06\u00a0months." in page
    assert "Vessels measure 91\u00a0HU." in page
    numbers = re.findall(r'<td class="([^"]*)"[^>]*>[\d.]+ mm', page)
    assert numbers
    assert {*numbers} <= {"number", "whole"}


def test_a_guideline_that_is_not_for_the_patient_shows_its_reason_and_no_category():
    outside = guideline(
        title="Fleischner",
        category=None,
        meaning="not for this patient",
        follow_up=(),
        not_assessed=(),
        driven_by=(),
        findings=("", ""),
        outside_population="it is for adults from 35 years",
    )
    page = page_of(full_report(guidelines=(guideline(cautions=("age not known",)), outside)))
    assert "<b>no category</b>: it is for adults from 35\u00a0years</td>" in page
    assert "Fleischner, not assessed" not in page
    assert "<th>Fleischner</th>" not in page
    assert "<th>Lung-RADS v2022</th>" in page
    assert "Lung-RADS v2022, caution: age not known." in page


def test_the_page_says_which_risk_model_gives_no_probability():
    page = page_of(full_report(refused_risks=("Brock gives no probability: for adults",)))
    assert ">Brock gives no probability: for adults.<" in page


@pytest.mark.parametrize("band", list(ConfidenceBand))
def test_every_band_is_explained(band):
    report = full_report()
    first = report.findings[0].model_copy(update={"confidence_band": band})
    page = page_of(report.model_copy(update={"findings": (first, report.findings[1])}))
    assert f'<span class="chip {band}">{band.replace("_", " ")}</span> <span class="aside">' in page


def test_a_risk_with_a_missing_input_is_shown_as_a_range():
    known = {"model": "Brock", "source": "", "lower": 0.1, "upper": 0.1, "used": {}, "missing": ()}
    cautious = {"cautions": ("outside the ages of its patients",)}
    ranged = known | cautious | {"model": "Mayo", "upper": 0.25, "missing": ("family_history",)}
    report = full_report()
    risks = tuple(RiskDocument.model_validate(values) for values in (known, ranged))
    first = report.findings[0].model_copy(update={"risks": risks})
    page = page_of(report.model_copy(update={"findings": (first, report.findings[1])}))
    assert '<th>Probability of cancer, Brock</th><td><span class="whole">10.0%</span></td>' in page
    assert "10.0% to 25.0%" in page
    assert "not known: family history" in page
    assert page.count('<br><span class="soft">outside the ages of its patients</span>') == 1
