import csv
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from hounsfield.data.phantom import (
    NoduleSpec,
    PhantomSettings,
    PhantomTruth,
    make_phantom,
    write_phantom,
)
from hounsfield.preprocessing.errors import OutputError, UsageError

SETTINGS = PhantomSettings(
    shape_zyx=(24, 72, 72), spacing_mm=(4.8, 4.8, 10.0), vessel_ends=300, contrast_hu=200.0
)


@pytest.fixture(scope="module")
def phantom():
    nodules = [NoduleSpec(diameter_mm=30, cavity=0.4), NoduleSpec(diameter_mm=12)]
    return make_phantom(4, settings=SETTINGS, nodules=nodules)


@pytest.fixture(scope="module")
def written(phantom, tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "study"
    return write_phantom(phantom, out, formats=("dicom", "luna16", "nifti"))


def test_the_ct_series_holds_the_voxels_and_geometry_of_the_volume(phantom, written):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames([str(path) for path in sorted((written / "dicom").iterdir())])
    image = reader.Execute()
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), phantom.volume.hu)
    assert image.GetSpacing() == pytest.approx(phantom.volume.spacing_mm)
    assert image.GetOrigin() == pytest.approx(phantom.volume.affine[:3, 3])


def test_metaimage_and_annotations_have_the_form_of_luna16(phantom, written):
    uid = phantom.volume.series.series_uid
    image = SimpleITK.ReadImage(str(written / "luna16" / f"{uid}.mhd"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), phantom.volume.hu)
    assert (written / "luna16" / f"{uid}.raw").exists()
    with (written / "luna16" / "annotations.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["seriesuid", "coordX", "coordY", "coordZ", "diameter_mm"]
    for row, nodule in zip(rows, phantom.nodules, strict=True):
        position = [float(row[f"coord{axis}"]) for axis in "XYZ"]
        assert position == pytest.approx(nodule.centre_world_mm)
        assert float(row["diameter_mm"]) == pytest.approx(nodule.diameter_mm)
        index = np.rint(image.TransformPhysicalPointToContinuousIndex(position)).astype(int)
        assert index == pytest.approx(phantom.volume.voxel_xyz(nodule.centre_world_mm), abs=0.51)


def test_the_nifti_file_has_the_ras_affine_of_the_volume(phantom, written):
    image = nibabel.load(written / "nifti" / f"{phantom.volume.series.series_uid}.nii.gz")
    assert np.array_equal(np.asarray(image.dataobj).T, phantom.volume.hu)
    corner_lps = phantom.volume.world_mm((3, 5, 7))
    assert image.affine @ (3, 5, 7, 1) == pytest.approx([*(corner_lps * (-1, -1, 1)), 1], abs=1e-3)


def test_truth_json_lists_every_nodule(phantom, written):
    truth = PhantomTruth.model_validate(json.loads((written / "truth.json").read_text()))
    assert truth.series_uid == phantom.volume.series.series_uid
    assert [n.centre_world_mm for n in truth.nodules] == [
        n.centre_world_mm for n in phantom.nodules
    ]
    assert [n.cavity for n in truth.nodules] == [True, False]


def test_the_same_phantom_gives_the_same_files(phantom, written, tmp_path):
    again = write_phantom(phantom, tmp_path / "again", formats=("dicom", "luna16", "nifti"))
    first = {p.relative_to(written): p.read_bytes() for p in written.rglob("*") if p.is_file()}
    second = {p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()}
    assert first == second


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy is not installed")
def test_ct_series_conforms_to_the_standard(written):
    path = sorted((written / "dicom").iterdir())[3]
    report = subprocess.run(
        ["dciodvfy", "-new", str(path)], capture_output=True, text=True, check=False
    )
    findings = [line for line in report.stderr.splitlines() if line != "CTImage"]
    assert not findings


def test_a_folder_in_use_is_refused_and_left_unchanged(phantom, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="needs a new or empty folder"):
        write_phantom(phantom, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_unknown_format_is_refused(phantom, tmp_path):
    with pytest.raises(UsageError, match="formats must be among dicom, luna16, nifti, got 'png'"):
        write_phantom(phantom, tmp_path / "out", formats=("png",))


def test_a_failure_after_the_first_format_leaves_nothing(phantom, tmp_path):
    too_dark = replace(phantom.volume, hu=phantom.volume.hu - np.int16(5000))  # for a CT series
    with pytest.raises(ValueError, match="hu must be at least -1024"):
        write_phantom(
            replace(phantom, volume=too_dark), tmp_path / "out", formats=("nifti", "dicom")
        )
    assert not list(tmp_path.iterdir())


def test_a_relative_folder_is_written(phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_phantom(phantom, Path("new/study"), formats=("nifti",))
    assert (tmp_path / "new" / "study" / "truth.json").is_file()


def test_a_folder_that_cannot_be_written_is_named(phantom, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file/out cannot be written: "):
        write_phantom(phantom, tmp_path / "file" / "out")
