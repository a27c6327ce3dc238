import csv
import json
import shutil

import numpy as np
import pytest
from hounsfield.data.preparation import DATASETS, prepare
from typer.testing import CliRunner

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

NODULE, EXCLUDED = ("1.1", 35.0, 2.0, 3.0, 8.0), ("1.2", -30.0, 0.0, 5.0, -1)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    """Two good series, a copy of the first under another name, and one without its data."""
    folder = tmp_path_factory.mktemp("download")
    write_mhd(folder / "subset0", "1.1")
    write_mhd(folder / "subset4", "1.2", shift_hu=3)
    write_mhd(folder / "subset5", "1.3")
    write_mhd(folder / "subset5", "1.4")
    (folder / "subset5" / "1.4.raw").unlink()
    write_tables(folder, NODULE, excluded=[EXCLUDED])
    return folder


@pytest.fixture(scope="module")
def made(download, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared")
    return out, prepare("luna16", download, out)


def rows_of(out):
    with (out / "findings.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_what_can_be_used_is_prepared_and_the_rest_is_told(made):
    out, report = made
    assert (report.prepared, report.kept, report.nodules, report.ignored) == (2, 0, 1, 1)
    told = {one.reason: one.message for one in report.left_out}
    assert "1.3 of 1.3 has the same voxels as 1.1 of 1.1" in told["duplicate_series"]
    assert "1.4.raw" in told["unreadable"]
    assert json.loads((out / "preparation.json").read_text())["prepared"] == 2


def test_a_case_holds_the_working_volume_and_its_findings(made):
    out, _ = made
    case = load_case(out / "cases" / "1.1")
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
        "1.2",
        "10.0",
        "1",
    )


def test_the_folds_are_the_official_subsets(made):
    out, _ = made
    assert [(one.series_uid, one.fold) for one in read_split(out).series] == [
        ("1.1", 0),
        ("1.2", 4),
    ]
    assert case_files([out], "test", held=4) == [out / "cases" / "1.2"]
    assert case_files([out], "validation", held=9) == [out / "cases" / "1.1"]


def test_a_second_call_reads_no_voxel_and_changes_nothing(made, download, monkeypatch):
    out, _ = made
    before = {path: path.read_bytes() for path in out.rglob("*.npy")}
    only_copies = {"1.3"}

    def read(series):
        assert series.facts.series_uid in only_copies
        return read_volume(series)

    read_volume = labelled_series.read_volume
    monkeypatch.setattr(labelled_series, "read_volume", read)
    report = prepare("luna16", download, out)
    assert (report.prepared, report.kept) == (0, 2)
    assert {path: path.read_bytes() for path in out.rglob("*.npy")} == before


def test_changed_labels_prepare_anew_and_series_that_are_gone_stay(made, download, tmp_path):
    out = shutil.copytree(made[0], tmp_path / "prepared")
    changed = tmp_path / "download"
    shutil.copytree(download / "subset0", changed / "subset0")
    write_tables(changed, (*NODULE[:4], 9.5))
    cut = out / "cases" / ".1.1.partial"  # as an interrupted call left it
    cut.mkdir()
    (cut / "hu.npy").write_bytes(b"cut")
    report = prepare("luna16", changed, out)
    assert (report.prepared, report.kept) == (1, 0)
    assert [row["diameter_mm"] for row in rows_of(out)] == ["9.5", "10.0"]
    assert [one.series_uid for one in read_split(out).series] == ["1.1", "1.2"]
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
        ("luna16", "nowhere", "nowhere must be the folder of a download"),
        ("phantoms", ".", "must be the file that tells the cases of phantoms"),
    ],
)
def test_a_users_mistake_is_told(tmp_path, dataset, source, message):
    with pytest.raises(UsageError, match=message):
        prepare(dataset, tmp_path / source, tmp_path / "out")


def patients(tmp_path, monkeypatch, *names):
    """A data set of series that cannot be read, one of each patient."""
    series = [
        Series(
            tmp_path,
            SeriesFormat.DICOM,
            (),
            SeriesFacts("1", f"1.{number}", patient_id=name),
            rejection=SeriesError(Reason.TRUNCATED, f"{name} was read"),
            readable=False,
        )
        for number, name in enumerate(names)
    ]
    labelled = [
        LabelledSeries(one, one.facts.patient_id, lambda _: Labels(()), "") for one in series
    ]
    monkeypatch.setitem(DATASETS, "luna16", lambda _: DatasetContents(labelled))
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "told"), [(False, "held_out"), (True, "truncated")], ids=["default", "asked for"]
)
def test_patients_of_the_examination_are_not_even_read(tmp_path, monkeypatch, wanted, told):
    source = patients(tmp_path, monkeypatch, "LIDC-IDRI-0003")
    report = prepare("luna16", source, tmp_path / "out", include_held_out=wanted)
    assert [one.reason for one in report.left_out] == [told]


def test_a_series_without_a_patient_is_refused(tmp_path, monkeypatch):
    report = prepare("luna16", patients(tmp_path, monkeypatch, ""), tmp_path / "out")
    assert "no PatientID (0010,0020)" in report.left_out[0].message


def test_the_command_knows_every_data_set():
    words = ["prepare", "no-such", ".", "--out", "out"]
    message = " ".join(CliRunner().invoke(app, words).output.replace("│", " ").split())
    assert ", ".join(f"'{name}'" for name in DATASETS) in message


def test_the_command_tells_what_it_did_and_ends_with_4_where_some_failed(made, download):
    out, _ = made
    words = ["prepare", "luna16", str(download), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 4
    assert f"0 cases prepared and 2 kept in {out}: 2 patients, 1 findings" in result.output
    assert "left out, unreadable: 1" in result.output


def test_the_command_ends_with_3_where_nothing_was_prepared(tmp_path):
    write_tables(tmp_path)
    words = ["prepare", "luna16", str(tmp_path), "--out", str(tmp_path / "out"), "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 3
    assert json.loads(result.output)["prepared"] == 0
