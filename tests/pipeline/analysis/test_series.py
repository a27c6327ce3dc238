"""The whole way of a study, with models that need no network."""

import json
import math

import nibabel as nib
import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom, write_phantom
from hounsfield.models.findings import Candidate
from hounsfield.pipeline.analysis.detection import select_findings
from hounsfield.pipeline.batch.csv_tables import read_findings
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.errors import ExitCode
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.fakes import make_fake_analyser
from tests.pipeline.scripted import scripted_config
from tests.preprocessing.synthetic_chest import value_at


def analyse(folder, out, *, clinical=None, **config):
    return run(
        [folder / "input"],
        out=out,
        config=scripted_config(folder, **config),
        progress=Progress(quiet=True),
        options=RunOptions(),
        clinical=clinical,
        make_analyser=make_fake_analyser,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A phantom with one nodule of 20 mm, and the run over it."""
    folder = tmp_path_factory.mktemp("study")
    phantom = make_phantom(3, settings=SMALL, nodules=[NoduleSpec(diameter_mm=20.0)])
    write_phantom(phantom, folder / "input", formats=["dicom"])
    summary = analyse(folder, folder / "out")
    return folder, phantom, summary


def read_report(out):
    (path,) = out.glob("studies/*/*/report.json")
    return path.parent, Report.model_validate_json(path.read_bytes())


def test_a_nodule_is_found_where_it_is_and_can_be_found_on_its_image_again(study):
    folder, phantom, summary = study
    assert summary.exit_code is ExitCode.DONE
    _, report = read_report(folder / "out")
    truth = phantom.nodules[0]
    nearest = min(
        report.findings,
        key=lambda finding: math.dist(finding.centre_world_mm, truth.centre_world_mm),
    )
    assert math.dist(nearest.centre_world_mm, truth.centre_world_mm) < 4
    x, y, z = phantom.volume.voxel_xyz(nearest.centre_world_mm)
    assert nearest.source is not None
    assert (nearest.source.column, nearest.source.row) == pytest.approx((x, y), abs=0.01)
    side = "left" if phantom.lung_labels[round(z), round(y), round(x)] == 2 else "right"
    assert nearest.location.lung == side


def test_the_folder_of_a_series_holds_the_report_and_every_picture_it_names(study):
    folder, report = read_report(study[0] / "out")
    names = {path.name for path in folder.iterdir()}
    named = {finding.picture for finding in report.findings}
    for finding in report.findings:
        named |= {finding.activation_map.picture, finding.activation_map.file}
    assert names == {"report.json", "report.html", "key_image.png"} | named


def test_the_activation_map_of_a_finding_is_saved_at_its_position(study):
    folder, report = read_report(study[0] / "out")
    finding = report.findings[0]
    image = nib.load(folder / finding.activation_map.file)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    activation = np.asarray(image.dataobj).transpose(2, 1, 0)
    assert value_at(activation, to_lps, finding.centre_world_mm) == 1
    assert activation.sum() == 1


def test_activation_maps_are_neither_drawn_nor_saved_where_switched_off(study):
    folder = study[0]
    analyse(folder, folder / "without_maps", activation_maps=False)
    series, report = read_report(folder / "without_maps")
    assert {finding.activation_map for finding in report.findings} == {None}
    assert not list(series.glob("*_cam*"))
    assert "Why:" not in (series / "report.html").read_text()


def test_the_same_input_gives_the_same_bytes_times_aside(study):
    folder = study[0]
    analyse(folder, folder / "again")
    first, second = (read_report(folder / name)[0] for name in ("out", "again"))
    for path in (*first.glob("*.png"), *first.glob("*.nii.gz")):
        assert path.read_bytes() == (second / path.name).read_bytes()
    documents = [json.loads((each / "report.json").read_bytes()) for each in (first, second)]
    pages = [(each / "report.html").read_text().splitlines() for each in (first, second)]
    for document in documents:
        del document["times"]
    assert documents[0] == documents[1]
    differing = [line for line, other in zip(*pages, strict=True) if line != other]
    assert all("<th>Times</th>" in line for line in differing)
    for table in ("findings.csv", "luna16_predictions.csv", "worklist.csv", "index.html"):
        contents = [(folder / name / table).read_bytes() for name in ("out", "again")]
        assert contents[0] == contents[1]


def test_a_reducer_gives_the_final_scores_and_is_named_in_the_report(study):
    folder = study[0]
    _, without = read_report(folder / "out")
    analyse(folder, folder / "reduced", reducer=True)
    _, report = read_report(folder / "reduced")
    assert [candidate.score for candidate in report.candidates] == pytest.approx(
        [candidate.score / 2 for candidate in without.candidates], abs=1e-4
    )
    assert [model.role for model in report.provenance.models] == [
        "detector",
        "reducer",
        "classifier",
    ]
    assert [model.role for model in without.provenance.models] == ["detector", "classifier"]
    assert report.provenance.fingerprint != without.provenance.fingerprint
    assert "reduce" in report.times.seconds
    assert "reduce" not in without.times.seconds


def test_a_segmenter_outlines_and_measures_findings(study):
    folder, phantom, _ = study
    analyse(folder, folder / "measured", segmenter=True)
    series, report = read_report(folder / "measured")
    truth = phantom.nodules[0]
    nearest = min(
        report.findings,
        key=lambda finding: math.dist(finding.centre_world_mm, truth.centre_world_mm),
    )
    measured = nearest.measurements
    assert measured["volume_mm3"] == pytest.approx(truth.volume_mm3, rel=0.2)
    assert nearest.diameter_mm == pytest.approx(truth.diameter_mm, rel=0.07)
    assert measured["texture"] == "solid"
    image = nib.load(series / "segmentation.nii.gz")
    labels = np.asarray(image.dataobj).transpose(2, 1, 0)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    assert value_at(labels, to_lps, truth.centre_world_mm) == nearest.finding
    volume_mm3 = (labels == nearest.finding).sum() * math.prod(phantom.volume.spacing_mm)
    assert volume_mm3 == pytest.approx(measured["volume_mm3"], rel=0.01)
    rows = list(read_findings(folder / "measured"))
    assert float(rows[nearest.finding - 1]["volume_mm3"]) == measured["volume_mm3"]
    assert rows[nearest.finding - 1]["lung_rads"] == "4B"
    assert rows[nearest.finding - 1]["malignancy"] == "0.25"
    assert rows[nearest.finding - 1]["texture"] == "solid"
    assert [guideline.name for guideline in report.guidelines] == [
        "lung_rads_2022",
        "c_lung_rads",
        "fleischner_2017",
    ]
    page = (series / "report.html").read_text()
    assert "Lung-RADS v2022, not assessed: " in page
    assert f"{measured['volume_mm3']:.0f} mm\u00b3" in page


def test_clinical_data_give_risks_and_make_another_run(study):
    folder, phantom, _ = study
    facts = phantom.volume.series
    table = folder / "clinical.csv"
    table.write_text(
        "patient_id,age,sex,smoker,previous_cancer\n"
        f"{facts.patient_id},68,female,yes,no\n"
        "somebody else,50,,,\n"
    )
    analyse(folder, folder / "known", segmenter=True, clinical=table)
    _, report = read_report(folder / "known")
    brock, mayo = report.findings[0].risks
    assert mayo.used["age_years"] == 68
    assert brock.used["sex"] == "female"
    assert set(mayo.missing) <= {"upper_lobe"}
    assert {"family_history", "emphysema"} <= set(brock.missing)
    assert 0 < brock.lower < brock.upper < 1
    _, without = read_report(folder / "out")
    assert without.findings[0].risks == ()
    assert report.provenance.fingerprint != without.provenance.fingerprint
    assert report.provenance.clinical_sha256 is not None


def test_clinical_data_that_cannot_be_right_end_the_run_before_it_begins(study):
    folder = study[0]
    table = folder / "wrong.csv"
    table.write_text("patient_id,age\nsomebody,230\n")
    with pytest.raises(UsageError, match="row 2, column age"):
        analyse(folder, folder / "wrong", clinical=table)
    assert not (folder / "wrong").exists()


def test_findings_are_the_best_candidates_from_the_threshold_up():
    marks = [Candidate((0.0, 0.0, 0.0), 5.0, score) for score in (0.2, 0.9, 0.5, 0.7)]
    best = select_findings(marks, score_threshold=0.5, max_findings=2)
    assert [mark.score for mark in best] == [0.9, 0.7]
    every = select_findings(marks, score_threshold=0.5, max_findings=20)
    assert [mark.score for mark in every] == [0.9, 0.7, 0.5]
