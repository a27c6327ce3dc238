import csv
import json
import shutil
from functools import partial

import numpy as np
import pytest
from typer.testing import CliRunner

from hounsfield.data.preparation import DATASETS, prepare
from hounsfield.data.prepared.case import load_case
from hounsfield.data.prepared.splits import case_files, read_split
from hounsfield.data.readers import labelled_series
from hounsfield.data.readers.dataset import DatasetContents
from hounsfield.data.readers.labelled_series import LabelledSeries, Labels
from hounsfield.pipeline.cli.main import app
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError, UsageError
from hounsfield.preprocessing.series import Series, SeriesFormat
from hounsfield.preprocessing.volume import SeriesFacts
from tests.data.luna16_download import write_mhd, write_tables

NODULE, EXCLUDED = ("1.3.6.1", 35.0, 2.0, 3.0, 8.0), ("1.3.6.2", -30.0, 0.0, 5.0, -1)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Two good series, a copy of the first under another name, and one without its data."""
    folder = tmp_path_factory.mktemp("download")
    write_mhd(folder / "subset0", "1.3.6.1")
    write_mhd(folder / "subset4", "1.3.6.2", shift_hu=3)
    write_mhd(folder / "subset5", "1.3.6.3")
    write_mhd(folder / "subset5", "1.3.6.4")
    (folder / "subset5" / "1.3.6.4.raw").unlink()
    write_tables(folder, NODULE, excluded=[EXCLUDED])
    return folder


@pytest.fixture(scope="module")
def made(download, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    return out, prepare("luna16", download, out)


def rows_of(out):
    with (out / "findings.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_usable_series_are_prepared_and_the_rest_is_excluded_with_a_reason(made):
    out, report = made
    assert (report.prepared, report.kept, report.nodules, report.ignored) == (2, 0, 1, 1)
    messages = {case.reason: case.message for case in report.excluded}
    assert (
        "1.3.6.3 of 1.3.6.3 has the same voxels as 1.3.6.1 of 1.3.6.1"
        in messages["duplicate_series"]
    )
    assert "1.3.6.4.raw" in messages["unreadable"]
    assert json.loads((out / "preparation.json").read_text())["prepared"] == 2


def test_a_case_holds_the_working_volume_and_its_findings(made):
    out, _ = made
    case = load_case(out / "cases" / "1.3.6.1")
    (finding,) = case.findings
    assert finding.centre_world_mm == NODULE[1:4]
    x, y, z = np.rint(case.volume.voxel_xyz(finding.centre_world_mm)).astype(int)
    assert case.volume.search_mask[z, y, x]
    assert case.volume.spacing_mm == (1, 1, 1)


def test_the_table_of_findings_is_in_mm(made):
    out, _ = made
    nodule, ignored = rows_of(out)
    assert (nodule["x_mm"], nodule["y_mm"], nodule["z_mm"]) == ("35.0", "2.0", "3.0")
    assert (nodule["diameter_mm"], nodule["ignored"], nodule["malignancy"]) == ("8.0", "0", "")
    assert (ignored["series_uid"], ignored["diameter_mm"], ignored["ignored"]) == (
        "1.3.6.2",
        "10.0",
        "1",
    )


def test_the_folds_are_the_official_subsets(made):
    out, _ = made
    assert [(entry.series_uid, entry.fold) for entry in read_split(out).series] == [
        ("1.3.6.1", 0),
        ("1.3.6.2", 4),
    ]
    assert case_files([out], "test", held=4) == [out / "cases" / "1.3.6.2"]
    assert case_files([out], "validation", held=9) == [out / "cases" / "1.3.6.1"]


def test_a_second_call_reads_only_copies_and_changes_nothing(made, download, monkeypatch):
    out, _ = made
    before = {path: path.read_bytes() for path in out.rglob("*.npy")}
    only_copies = {"1.3.6.3"}

    def read(series):
        assert series.facts.series_uid in only_copies
        return read_volume(series)

    read_volume = labelled_series.read_volume
    monkeypatch.setattr(labelled_series, "read_volume", read)
    report = prepare("luna16", download, out)
    assert (report.prepared, report.kept) == (0, 2)
    assert {path: path.read_bytes() for path in out.rglob("*.npy")} == before


def test_changed_labels_are_prepared_again_and_deleted_series_stay(made, download, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    changed = tmp_path / "download"
    shutil.copytree(download / "subset0", changed / "subset0")
    write_tables(changed, (*NODULE[:4], 9.5))
    cut = out / "cases" / ".1.3.6.1.partial"  # as an interrupted call left it
    cut.mkdir()
    (cut / "hu.npy").write_bytes(b"cut")
    report = prepare("luna16", changed, out)
    assert (report.prepared, report.kept) == (1, 0)
    assert [row["diameter_mm"] for row in rows_of(out)] == ["9.5", "10.0"]
    assert [entry.series_uid for entry in read_split(out).series] == ["1.3.6.1", "1.3.6.2"]
    assert not [path for path in out.rglob("*") if "partial" in path.name]


def test_a_folder_of_another_data_set_is_refused(made, tmp_path):
    with pytest.raises(UsageError, match=r"holds luna16; choose another --out for lidc-idri"):
        prepare("lidc-idri", tmp_path, made[0])


@pytest.mark.parametrize(
    ("dataset", "source", "message"),
    [
        (
            "luna",
            ".",
            "must be one of luna16, lidc-idri, lung-pet-ct-dx, nsclc-radiomics, nodule-crops",
        ),
        ("luna16", "nowhere", "source of luna16 must be the folder of a download, got .*nowhere"),
        ("phantoms", ".", "source of phantoms must be the file that lists its cases, got"),
    ],
)
def test_a_wrong_data_set_or_source_is_refused(tmp_path, dataset, source, message):
    with pytest.raises(UsageError, match=message):
        prepare(dataset, tmp_path / source, tmp_path / "out")


def damaged(case):
    path = case / "case.json"
    path.write_bytes(path.read_bytes()[:-20])


def without_mask(case):
    (case / "search_mask.npy").unlink()


def cut_voxels(case):
    (case / "hu.npy").write_bytes((case / "hu.npy").read_bytes()[:-5])


@pytest.mark.parametrize("damage", [damaged, without_mask, cut_voxels])
def test_a_damaged_case_is_prepared_again(made, download, tmp_path, damage):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    whole = {path: path.read_bytes() for path in (out / "cases" / "1.3.6.1").iterdir()}
    damage(out / "cases" / "1.3.6.1")
    report = prepare("luna16", download, out)
    assert (report.prepared, report.kept) == (1, 1)
    (sentence,) = report.replaced
    assert "1.3.6.1" in sentence
    assert {path: path.read_bytes() for path in (out / "cases" / "1.3.6.1").iterdir()} == whole
    assert [entry.series_uid for entry in read_split(out).series] == ["1.3.6.1", "1.3.6.2"]


def test_a_damaged_case_without_its_source_is_excluded_with_a_sentence(made, download, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    damaged(out / "cases" / "1.3.6.1")
    remaining = shutil.copytree(download / "subset4", tmp_path / "download" / "subset4")
    write_tables(remaining.parent, NODULE, excluded=[EXCLUDED])
    report = prepare("luna16", remaining.parent, out)
    (failed,) = report.failed
    assert (failed.name, failed.reason) == ("1.3.6.1", "unreadable")
    assert "case.json: not JSON" in failed.message
    assert [entry.series_uid for entry in read_split(out).series] == ["1.3.6.2"]


def labelled(tmp_path, *patients):
    """A data set of series that cannot be read, one per patient."""
    sources = []
    for number, patient_id in enumerate(patients):
        facts = SeriesFacts("1", f"1.{number}", patient_id=patient_id)
        error = SeriesError(Reason.TRUNCATED, f"{patient_id} was read")
        series = Series(tmp_path, SeriesFormat.DICOM, (), facts, rejection=error, readable=False)
        sources.append(LabelledSeries(series, patient_id, lambda _: Labels(()), ""))
    return DatasetContents(sources)


@pytest.fixture
def lidc(tmp_path, monkeypatch):
    """Prepares a data set with the patients LIDC-IDRI-0003 and Anna."""
    contents = labelled(tmp_path, "LIDC-IDRI-0003", "Anna")
    monkeypatch.setitem(DATASETS, "lidc-idri", lambda _: contents)
    return partial(prepare, "lidc-idri", tmp_path, tmp_path / "out")


def test_every_patient_is_prepared_by_default(lidc):
    assert [case.reason for case in lidc().excluded] == ["truncated", "truncated"]


def test_held_out_patients_are_excluded_unread_and_named_with_their_file(lidc):
    report = lidc(held_out="held_out")
    (failed,) = report.failed
    assert failed.message == "Anna was read"
    (held_out,) = (case for case in report.excluded if not case.failed)
    assert held_out.reason == "held_out"
    assert "1.0 is of LIDC-IDRI-0003, held out by " in held_out.message
    assert held_out.message.endswith("held_out.yaml")


def test_an_unknown_file_of_held_out_patients_is_refused_before_anything_is_written(lidc, tmp_path):
    with pytest.raises(UsageError, match="held-out patients must be a YAML file"):
        lidc(held_out="nobody")
    assert not (tmp_path / "out").exists()


def test_earlier_cases_of_held_out_patients_are_removed_even_without_their_source(made, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    write_tables(tmp_path / "empty")
    rule = tmp_path / "mine.yaml"
    rule.write_text("patients: ['1.3.6.1']")
    prepare("luna16", tmp_path / "empty", out, held_out=rule)
    assert [entry.series_uid for entry in read_split(out).series] == ["1.3.6.2"]
    assert not (out / "cases" / "1.3.6.1").exists()


def test_the_command_leaves_held_out_patients_out(made, download, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    rule = tmp_path / "mine.yaml"
    rule.write_text("patients: ['1.3.6.2']")
    words = ["prepare", "luna16", str(download), "--out", str(out), "--held-out", str(rule)]
    output = CliRunner().invoke(app, words).output
    assert "excluded, held_out: 1" in output
    assert f"held out by {rule}" in output


def test_a_series_without_a_patient_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "luna16", lambda _: labelled(tmp_path, ""))
    report = prepare("luna16", tmp_path, tmp_path / "out")
    assert "no PatientID (0010,0020)" in report.excluded[0].message


def test_the_command_knows_every_data_set():
    words = ["prepare", "no-such", ".", "--out", "out"]
    message = " ".join(CliRunner().invoke(app, words).output.replace("│", " ").split())
    assert ", ".join(f"'{name}'" for name in DATASETS) in message


def test_the_command_prints_counts_and_ends_with_4_where_some_failed(made, download):
    out, _ = made
    words = ["prepare", "luna16", str(download), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 4
    assert f"0 cases prepared and 2 kept in {out}: 2 patients, 1 findings" in result.output
    assert "excluded, unreadable: 1" in result.output


def test_the_command_ends_with_3_where_nothing_was_prepared(tmp_path):
    write_tables(tmp_path)
    words = ["prepare", "luna16", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert json.loads(result.output)["prepared"] == 0
