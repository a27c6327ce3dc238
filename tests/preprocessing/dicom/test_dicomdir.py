"""A DICOMDIR is recognised by content, and used only to report files that are missing."""

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MediaStorageDirectoryStorage

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.dicomdir import is_dicomdir, referenced_files
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.files.sources import ByteSource
from tests.preprocessing.volumes import make_volume


@pytest.fixture
def disc(tmp_path):
    """A disc with one series, as an export writes it, its index under another name."""
    records = []
    for path in save_series(ct_datasets(make_volume()), tmp_path / "disc" / "CT" / "S1"):
        path.rename(path.with_name(f"I{path.stem}"))
        record = Dataset()
        record.DirectoryRecordType = "IMAGE"
        record.ReferencedFileID = ["CT", "S1", f"I{path.stem}"]
        records.append(record)
    patient = Dataset()
    patient.DirectoryRecordType = "PATIENT"
    index = Dataset()
    index.DirectoryRecordSequence = [patient, *records]
    index.file_meta = FileMetaDataset()
    index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    index.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    index.save_as(tmp_path / "disc" / "DIRFILE", enforce_file_format=True)
    return tmp_path / "disc" / "DIRFILE"


def message(disc):
    [passed] = discover([disc.parent]).skipped_files
    assert passed.reason is Reason.NOT_AN_IMAGE
    return passed.message


def test_a_dicomdir_is_recognised_by_content(disc):
    assert is_dicomdir(disc.read_bytes()[:2048])
    slices = [path for path in disc.parent.rglob("*") if path.is_file() and path != disc]
    assert not is_dicomdir(slices[0].read_bytes()[:2048])
    assert len(referenced_files(ByteSource(disc))) == 20


def test_missing_files_of_a_dicomdir_are_counted(disc):
    assert "all 20 files that it names are here" in message(disc)


def test_files_missing_from_the_disc_are_counted_and_the_rest_is_read(disc):
    slices = sorted(path for path in disc.parent.rglob("*") if path.is_file() and path != disc)
    for path in slices[:2]:
        path.unlink()
    assert "DICOMDIR names 2 files that are not here (of 20" in message(disc)
    assert len(discover([disc.parent]).series[0].instances) == 18


def test_names_in_lower_case_count_as_the_files_of_a_dicomdir(disc):
    for path in sorted(disc.parent.rglob("*"), reverse=True):
        if path != disc:
            path.rename(path.with_name(path.name.lower()))
    assert "all 20 files" in message(disc)


def test_a_damaged_dicomdir_does_not_stop_the_search(disc):
    disc.write_bytes(disc.read_bytes()[:1500])
    assert discover([disc.parent]).series[0].shape_zyx == (20, 24, 28)


@pytest.mark.parametrize("vr", [b"US", b"SQ", b"FD", b"AT", b"ZZ", b"UN"])
def test_a_file_name_of_another_type_passes_over_the_index_alone(disc, vr):
    content = disc.read_bytes()
    disc.write_bytes(content.replace(b"\x04\x00\x00\x15CS", b"\x04\x00\x00\x15" + vr))
    found = discover([disc.parent])
    assert [(file.path, file.reason) for file in found.skipped_files] == [
        (str(disc), Reason.NOT_AN_IMAGE)
    ]
    assert len(found.series[0].instances) == 20


def test_names_outside_the_disc_are_not_looked_up(disc):
    content = disc.read_bytes()
    disc.write_bytes(content.replace(b"CT\\S1\\", b"..\\..\\"))
    assert "names 20 files that are not here" in message(disc)
