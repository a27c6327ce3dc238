"""Bad input ends in one clear sentence and its exit code, soon and in little memory."""

import resource
import subprocess
import sys
import time
import zipfile

import nibabel
import numpy as np
import pytest

from hounsfield.data.phantom import SMALL, make_phantom
from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from tests.real_series import REAL, needs_real_series

TRICKY = REAL / "tricky"
PROGRAM = "from hounsfield.pipeline.cli.main import main; main()"
MAX_SECONDS, MAX_BYTES = 60, 3 * 2**30
"""Bounds, not aims: a bomb would break them at once."""


def limit_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_BYTES, MAX_BYTES))


def run(source, out):
    started = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", str(source), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * MAX_SECONDS,
        preexec_fn=limit_memory,
    )
    assert time.monotonic() - started < MAX_SECONDS
    assert "Traceback" not in ended.stderr
    return ended


def empty_folder(folder):
    (folder / "empty").mkdir()


def text_file(folder):
    (folder / "notes.dcm").write_text("not a picture", encoding="utf-8")


def truncated_dicom(folder):
    affine = np.diag([0.7, 0.7, 1.25, 1.0])
    volume = Volume(np.zeros((1, 64, 64), np.int16), affine, SeriesFacts("1.2.3", "1.2.3.4"))
    (path,) = save_series(ct_datasets(volume), folder)
    path.write_bytes(path.read_bytes()[:-5000])


def zip_bomb(folder):
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        zeros = bytes(2**20)
        with archive.open("bomb.dcm", "w", force_zip64=True) as member:
            for _ in range(512):
                member.write(zeros)


def zip_that_points_outside(folder):
    with zipfile.ZipFile(folder / "slip.zip", "w") as archive:
        archive.writestr("../../evil.dcm", b"evil")


def missing_raw(folder):
    (folder / "scan.mhd").write_text(
        "ObjectType = Image\nNDims = 3\nDimSize = 64 64 64\nElementType = MET_SHORT\n"
        "ElementSpacing = 1 1 1\nOffset = 0 0 0\nElementDataFile = scan.raw\n",
        encoding="utf-8",
    )


def nifti_without_affine(folder):
    image = nibabel.Nifti1Image(np.zeros((64, 64, 64), np.int16), None)
    image.header.set_zooms((5, 5, 5))
    image.set_qform(None, 0)
    image.set_sform(None, 0)
    image.to_filename(folder / "scan.nii.gz")


@pytest.mark.parametrize(
    ("make", "code", "sentence"),
    [
        (empty_folder, 3, "Nothing to analyse"),
        (text_file, 3, "Nothing to analyse"),
        (truncated_dicom, 4, "truncated"),
        (zip_bomb, 4, "archive_unsafe"),
        (zip_that_points_outside, 4, "archive_unsafe"),
        (missing_raw, 4, "scan.raw"),
        (nifti_without_affine, 4, "no_position"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_its_exit_code(make, code, sentence, tmp_path):
    source = tmp_path / "input"
    source.mkdir()
    make(source)
    ended = run(source, tmp_path / "out")
    assert ended.returncode == code, ended.stderr
    assert sentence in ended.stdout + ended.stderr
    assert not list(tmp_path.parent.rglob("evil*"))


@pytest.mark.real
@needs_real_series
@pytest.mark.parametrize(
    "folder", sorted(TRICKY.glob("bad/*")) if TRICKY.is_dir() else [], ids=lambda path: path.name
)
def test_every_bad_folder_ends_without_a_crash_and_with_nothing_analysed(folder, tmp_path):
    ended = run(folder, tmp_path / "out")
    assert ended.returncode in {3, 4}, ended.stderr


def test_a_broken_file_beside_a_good_study_loses_nothing_of_the_good_one(tmp_path):
    source = tmp_path / "input"
    save_series(ct_datasets(make_phantom(5, settings=SMALL).volume), source / "good")
    (source / "bad").mkdir()
    truncated_dicom(source / "bad")
    ended = run(source, tmp_path / "out")
    assert ended.returncode == 4
    assert len(list((tmp_path / "out").rglob("report.html"))) == 1
