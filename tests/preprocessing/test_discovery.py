"""Discovery finds every series in any mixture of files, and reports every other file."""

import gzip
import os
import shutil
import socket
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.series import SeriesFormat
from tests.preprocessing.volumes import make_volume


def write_dicom(folder, uid="1.2.3"):
    return save_series(ct_datasets(make_volume(uid=uid)), folder)


def write_file(path, volume=None):
    with path.open("wb") as file:
        write_volume(volume or make_volume(), file, VolumeFormat.of(path))
    return path


def reasons(discovery):
    return {Path(file.path).name: file.reason for file in discovery.skipped_files}


def test_every_format_is_found_by_content_at_any_depth(tmp_path):
    write_dicom(tmp_path / "a" / "b" / "c")
    for number, path in enumerate(sorted((tmp_path / "a" / "b" / "c").iterdir())):
        path.rename(path.with_name(f"IM{number}.txt"))
    write_file(tmp_path / "x.nii.gz").rename(tmp_path / "a" / "x.bin")
    write_file(tmp_path / "y.mha").rename(tmp_path / "a" / "y.dcm")
    discovery = discover([tmp_path])
    assert [(series.format, series.shape_zyx) for series in discovery.series] == [
        (SeriesFormat.DICOM, (20, 24, 28)),
        (SeriesFormat.NIFTI, (20, 24, 28)),
        (SeriesFormat.METAIMAGE, (20, 24, 28)),
    ]
    assert [series.rejection for series in discovery.series] == [None] * 3
    assert discovery.skipped_files == ()


def test_a_file_of_no_series_gets_a_reason(tmp_path):
    (tmp_path / "notes.txt").write_text("some notes on a study, longer than a header's beginning")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"text"))
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as pipe:
        here = Path.cwd()
        os.chdir(tmp_path)  # a socket's path is limited in length
        pipe.bind("socket")
        os.chdir(here)
        discovery = discover([tmp_path])
    assert reasons(discovery) == {
        "notes.txt": Reason.NOT_AN_IMAGE,
        "empty.dcm": Reason.NOT_AN_IMAGE,
        "text.gz": Reason.NOT_AN_IMAGE,
        "gone": Reason.UNREADABLE,
        "socket": Reason.NOT_AN_IMAGE,
    }
    assert discovery.series == ()


def test_a_file_reached_twice_counts_once(tmp_path):
    paths = write_dicom(tmp_path / "study")
    (tmp_path / "study" / "loop").symlink_to(tmp_path)
    (tmp_path / "linked").symlink_to(paths[0])
    discovery = discover([tmp_path, tmp_path / "study", paths[3], tmp_path])
    [series] = discovery.series
    assert len(series.sources) == 20
    assert discovery.skipped_files == ()


def test_files_and_folders_that_may_not_be_read_are_reported(tmp_path, monkeypatch):
    write_dicom(tmp_path / "open")
    (tmp_path / "locked").mkdir()
    (tmp_path / "secret").write_text("secret")

    def refuse(what, original):
        def refusing(path, *args, **kwargs):
            if path.name in {"locked", "secret"}:
                raise PermissionError(13, "Permission denied")
            return original(path, *args, **kwargs)

        monkeypatch.setattr(Path, what, refusing)

    refuse("iterdir", Path.iterdir)
    refuse("open", Path.open)
    discovery = discover([tmp_path])
    assert reasons(discovery) == {"locked": Reason.UNREADABLE, "secret": Reason.UNREADABLE}
    assert all("Permission denied" in file.message for file in discovery.skipped_files)
    assert len(discovery.series) == 1


def test_a_missing_input_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="nowhere does not exist"):
        discover([tmp_path / "nowhere"])


def test_an_empty_folder_has_no_series(tmp_path):
    discovery = discover([tmp_path])
    assert (discovery.series, discovery.skipped_files) == ((), ())


def test_the_same_series_in_two_folders_is_a_duplicate(tmp_path):
    write_dicom(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    (tmp_path / "a" / "00007.dcm").unlink()
    first, second = discover([tmp_path]).series
    assert first.rejection.reason is Reason.DUPLICATE_SERIES
    assert "in another folder too" in first.rejection.message
    assert first.rejection.path == str(tmp_path / "a")
    assert second.rejection is None
    assert len(second.instances) == 20


def test_one_series_spread_over_two_folders_is_one(tmp_path):
    paths = write_dicom(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for path in paths[::2]:
        path.rename(tmp_path / "b" / path.name)
    [series] = discover([tmp_path]).series
    assert (series.path, len(series.instances)) == (tmp_path, 20)
    assert series.notices == ()


def test_files_of_one_name_are_distinguished_by_content(tmp_path):
    for folder in "abc":
        (tmp_path / folder).mkdir()
    write_file(tmp_path / "a" / "ct.nii.gz")
    shutil.copy(tmp_path / "a" / "ct.nii.gz", tmp_path / "b" / "ct.nii.gz")
    volume = make_volume()
    write_file(tmp_path / "c" / "ct.nii.gz", replace(volume, hu=volume.hu + np.int16(1)))
    series, same, other = discover([tmp_path]).series
    assert series.facts.series_uid == same.facts.series_uid != other.facts.series_uid
    assert same.rejection.reason is Reason.DUPLICATE_SERIES
    assert series.rejection is other.rejection is None
    assert discover([tmp_path / "c"]).series[0].facts == other.facts


def test_the_raw_file_belongs_to_its_header(tmp_path):
    (tmp_path / "0.raw").write_bytes(np.zeros((20, 20, 20), "<i2"))
    (tmp_path / "z.mhd").write_text(
        "NDims = 3\nOffset = 0 0 0\nElementSpacing = 10 10 10\nDimSize = 20 20 20\n"
        "ElementType = MET_SHORT\nElementDataFile = 0.raw\n"
    )
    discovery = discover([tmp_path])
    assert [source.name for source in discovery.series[0].sources] == ["z.mhd", "0.raw"]
    assert discovery.skipped_files == ()
    (tmp_path / "0.raw").unlink()
    [missing] = discover([tmp_path]).skipped_files
    assert missing.reason is Reason.UNREADABLE
    assert "'0.raw' is not there" in missing.message


def test_a_header_cannot_name_a_file_outside_its_folder(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(16000))
    (tmp_path / "in").mkdir()
    for name in ("../secret", str(tmp_path / "secret")):
        (tmp_path / "in" / "a.mhd").write_text(
            "NDims = 3\nOffset = 0 0 0\nElementSpacing = 10 10 10\nDimSize = 20 20 20\n"
            f"ElementType = MET_SHORT\nElementDataFile = {name}\n"
        )
        [refused] = discover([tmp_path / "in"]).skipped_files
        assert "is not there" in refused.message


@pytest.mark.parametrize("folder", ["/home/reader/scans/", "D:\\scans\\", "D:/scans/"])
def test_a_path_of_another_computer_names_the_file_beside_the_header(tmp_path, folder):
    (tmp_path / "a.raw").write_bytes(bytes(16000))
    (tmp_path / "a.mhd").write_text(
        "NDims = 3\nOffset = 0 0 0\nElementSpacing = 10 10 10\nDimSize = 20 20 20\n"
        f"ElementType = MET_SHORT\nElementDataFile = {folder}a.raw\n"
    )
    [series] = discover([tmp_path]).series
    assert series.readable


def zip_folder(folder, path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def test_an_archive_gives_the_same_series_as_its_files(tmp_path):
    write_dicom(tmp_path / "in" / "study")
    write_file(tmp_path / "in" / "ct.nii.gz")
    (tmp_path / "in" / "scan").mkdir()
    (tmp_path / "in" / "scan" / "a.raw").write_bytes(np.zeros((20, 20, 20), "<i2"))
    (tmp_path / "in" / "scan" / "a.mhd").write_text(
        "NDims = 3\nOffset = 0 0 0\nElementSpacing = 10 10 10\nDimSize = 20 20 20\n"
        "ElementType = MET_SHORT\nElementDataFile = a.raw\n"
    )
    path = zip_folder(tmp_path / "in", tmp_path / "all.zip")
    before = sorted(tmp_path.rglob("*"))
    discovery = discover([path])
    assert {(series.format, series.shape_zyx) for series in discovery.series} == {
        (SeriesFormat.DICOM, (20, 24, 28)),
        (SeriesFormat.NIFTI, (20, 24, 28)),
        (SeriesFormat.METAIMAGE, (20, 20, 20)),
    }
    assert {series.path for series in discovery.series} == {path}
    assert discovery.skipped_files == ()
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_in_an_archive_is_not_opened(tmp_path):
    (tmp_path / "in").mkdir()
    inner = zip_folder(write_dicom(tmp_path / "x")[0].parent, tmp_path / "in" / "inner.zip")
    path = zip_folder(tmp_path / "in", tmp_path / "outer.zip")
    [passed] = discover([path]).skipped_files
    assert passed.path == f"{path}!{inner.name}"
    assert passed.reason is Reason.UNSUPPORTED_ENCODING


def test_progress_counts_every_file(tmp_path):
    write_dicom(tmp_path)
    counts = []
    discover([tmp_path], progress=counts.append)
    assert counts == list(range(1, 21))


def test_sources_sort_by_name(tmp_path):
    names = ["b", "a", "c"]
    ordered = sorted(ByteSource(tmp_path / name) for name in names)
    assert [source.name for source in ordered] == ["a", "b", "c"]


def test_names_in_any_alphabet_and_any_bytes_are_found_and_can_be_printed(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    write_dicom(folder / "\u80ba" / "Ren\u00e9")
    (folder / "notes.txt").write_text("some notes on a study, longer than a header's beginning")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04")
    discovery = discover([tmp_path])
    (series,) = discovery.series
    assert read_volume(series).shape_zyx == (20, 24, 28)
    assert str(series.sources[0]).startswith(f"{tmp_path}/caf\\xe9/\u80ba/Ren\u00e9/")
    for skipped in discovery.skipped_files:
        assert "caf\\xe9" in skipped.path.encode().decode()
        assert "caf" not in skipped.message
    assert len(discovery.skipped_files) == 2


def test_no_sentence_holds_a_folder_which_may_be_named_after_the_patient(tmp_path):
    folder = tmp_path / "DOE_JANE"
    paths = write_dicom(folder / "cut")
    paths[7].write_bytes(paths[7].read_bytes()[:-100])
    paths[9].unlink()
    shutil.copytree(folder / "cut", folder / "copy")
    write_dicom(folder / "twice", uid="1.2.4")
    shutil.copy(folder / "twice" / "00001.dcm", folder / "twice" / "again.dcm")
    for path in write_dicom(folder / "short", uid="1.2.5")[3:]:
        path.unlink()
    zip_folder(folder / "short", folder / "study.zip")
    for name in "ab":
        (folder / name).mkdir()
        write_file(folder / name / "small.nii.gz", make_volume(spacing_mm=(1, 1, 1)))
        (folder / name / "cut.nii").write_bytes(b"\x5c\x01\0\0" + bytes(340) + b"n+1\0")
        (folder / name / "a.mhd").write_text(f"NDims = 3\nElementDataFile = {folder}/a.raw\n")
        (folder / name / "bad.zip").write_bytes(b"PK\x03\x04")
        (folder / name / "empty").touch()
        (folder / name / "gone").symlink_to(folder / "nowhere")
    discovery = discover([tmp_path])
    volumes = [read_volume(series) for series in discovery.series if series.readable]
    errors = [series.rejection for series in discovery.series if series.rejection]
    notices = [notice for read in (*discovery.series, *volumes) for notice in read.notices]
    sentences = [entry.message for entry in (*discovery.skipped_files, *errors, *notices)]
    assert not [sentence for sentence in sentences if "DOE_JANE" in sentence]
    assert {error.reason for error in errors} >= {Reason.DUPLICATE_SERIES, Reason.TOO_FEW_SLICES}
    assert {notice.code for notice in notices} >= {
        NoticeCode.MISSING_SLICES_FILLED,
        NoticeCode.DUPLICATE_SLICES_DROPPED,
    }
    assert all("DOE_JANE" in skipped.path for skipped in discovery.skipped_files)
    assert len(discovery.skipped_files) >= 10
