import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.instance import read_instance
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from tests.preprocessing.dicom_files import COMPRESSED, nested_sequence_file, save, slice_dataset

HU = np.arange(-500, -100, dtype=np.int16).reshape(20, 20)


def _read_bytes(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return read_instance(ByteSource(path))


def _file_bytes(folder, **keywords):
    return save(slice_dataset(HU, **keywords), folder / "whole.dcm").read_bytes()


def test_a_header_is_read_without_preamble(tmp_path):
    instance = _read_bytes(tmp_path, _file_bytes(tmp_path)[132:])
    assert instance.pixels.rows == 20
    assert instance.damage is None


def test_a_header_is_read_without_preamble_and_meta(tmp_path):
    whole = _file_bytes(tmp_path)
    meta_length = struct.unpack("<I", whole[140:144])[0]
    instance = _read_bytes(tmp_path, whole[144 + meta_length :])
    assert instance.facts.modality == "CT"
    assert instance.transfer_syntax_uid == "1.2.840.10008.1.2.1"


def test_an_instance_survives_pickling_and_holds_no_pixels(tmp_path):
    path = save(slice_dataset(np.zeros((512, 512), np.int16)), tmp_path / "a.dcm")
    pickled = pickle.dumps(read_instance(ByteSource(path)))
    assert len(pickled) < 3000


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"\0" * 4096, b"<html></html>" * 20, b"PK\x03\x04" + b"x" * 500],
)
def test_files_that_are_not_dicom_are_not_images(tmp_path, content):
    with pytest.raises(SeriesError, match="The file is not DICOM") as caught:
        _read_bytes(tmp_path, content)
    assert caught.value.reason is Reason.NOT_AN_IMAGE


@pytest.mark.parametrize("length", [132, 200, 420])
def test_a_file_cut_inside_its_header_is_truncated(tmp_path, length):
    with pytest.raises(SeriesError, match="cut off inside its header") as caught:
        _read_bytes(tmp_path, _file_bytes(tmp_path)[:length])
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, *COMPRESSED])
def test_a_file_cut_inside_its_pixels_keeps_its_header(tmp_path, syntax):
    noise = np.random.default_rng(1).integers(-900, 900, (64, 64)).astype(np.int16)
    whole = save(slice_dataset(noise, syntax=syntax), tmp_path / "a.dcm").read_bytes()
    instance = _read_bytes(tmp_path, whole[: len(whole) * 3 // 4])
    assert instance.damage.reason is Reason.TRUNCATED
    assert "cut off inside its pixels" in instance.damage.message
    assert instance.damage.path == str(tmp_path / "file")
    assert instance.frames[0].position_mm == (0, 0, 0)


def test_a_missing_sequence_delimiter_loses_nothing(tmp_path):
    whole = _file_bytes(tmp_path, syntax=JPEGLSLossless)
    assert _read_bytes(tmp_path, whole[:-8]).damage is None


def test_a_header_with_a_wrong_size_allocates_nothing(tmp_path):
    dataset = slice_dataset(HU)
    dataset.Rows = dataset.Columns = 65535
    dataset.NumberOfFrames = 2**31 - 1
    path = save(dataset, tmp_path / "lie.dcm")
    tracemalloc.start()
    instance = read_instance(ByteSource(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert instance.damage.reason is Reason.TRUNCATED
    assert peak < 5_000_000


def test_a_frame_count_without_as_many_fragments_is_damage(tmp_path):
    dataset = slice_dataset(HU, syntax=JPEG2000Lossless, NumberOfFrames=1000)
    assert read_instance(ByteSource(save(dataset, tmp_path / "a.dcm"))).damage is not None


def test_an_element_longer_than_the_file_is_truncation(tmp_path):
    whole = _file_bytes(tmp_path)
    description = struct.pack("<HH2sHI", 0x0008, 0x0005, b"UT", 0, 0xFFFFFFF0)
    with pytest.raises(SeriesError) as caught:
        _read_bytes(tmp_path, whole[: whole.index(b"\x08\x00\x08\x00CS")] + description)
    assert caught.value.reason is Reason.TRUNCATED


def test_endlessly_nested_sequences_are_unreadable(tmp_path):
    with pytest.raises(SeriesError, match="RecursionError") as caught:
        _read_bytes(tmp_path, nested_sequence_file(100_000))
    assert caught.value.reason is Reason.UNREADABLE


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(SeriesError, match="cannot be read: No such file") as caught:
        read_instance(ByteSource(tmp_path / "gone.dcm"))
    assert caught.value.reason is Reason.UNREADABLE
    assert caught.value.path == str(tmp_path / "gone.dcm")
    assert str(tmp_path) not in caught.value.message


def test_text_in_other_alphabets_is_read(tmp_path):
    dataset = slice_dataset(HU, SpecificCharacterSet="ISO_IR 144", SeriesDescription="Лёгкие")
    instance = read_instance(ByteSource(save(dataset, tmp_path / "a.dcm")))
    assert instance.facts.series_description == "Лёгкие"


@pytest.mark.parametrize(("age", "years"), [("063Y", 63), ("006M", 0.5), ("", None)])
def test_an_age_is_told_in_years(tmp_path, age, years):
    path = save(slice_dataset(HU, PatientAge=age), tmp_path / "a.dcm")
    assert read_instance(ByteSource(path)).facts.patient_age_years == years


@pytest.mark.parametrize("age", ["\xb2Y", "Y", "063", "-63Y", "6 3Y"])
def test_an_age_that_makes_no_sense_is_unknown(tmp_path, age):
    whole = _file_bytes(tmp_path, PatientAge="063Y")
    value = age.encode("latin-1").ljust(4)[:4]
    assert _read_bytes(tmp_path, whole.replace(b"063Y", value)).facts.patient_age_years is None
