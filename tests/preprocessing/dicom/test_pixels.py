import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.material.encoded_pixels import encode_rle
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.dataset import deflated_start
from hounsfield.preprocessing.dicom.headers.instance import PixelLayout, read_instance
from hounsfield.preprocessing.dicom.pixels import codecs
from hounsfield.preprocessing.dicom.pixels.codecs import decode_frame
from hounsfield.preprocessing.dicom.pixels.reading import read_hu
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from tests.preprocessing.dicom_files import (
    COMPRESSED,
    NATIVE,
    save,
    set_pixels,
    slice_dataset,
)

BODY = np.full((32, 40), -1000, np.int16)
BODY[8:24, 8:32] = np.arange(16 * 24).reshape(16, 24) - 150


def _hu_of(dataset, folder):
    instance = read_instance(ByteSource(save(dataset, folder / "slice.dcm")))
    hu = np.empty((instance.pixels.rows, instance.pixels.columns), np.int16)
    notes = read_hu(instance, instance.frames[0], hu)
    return hu, notes


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
@pytest.mark.parametrize("signed", [False, True])
def test_every_lossless_encoding_gives_the_same_hu(tmp_path, syntax, signed):
    dataset = slice_dataset(BODY, syntax=syntax, signed=signed, intercept=0 if signed else -1024)
    hu, notes = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, BODY)
    assert notes.conflicts == ()


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_frame_in_many_fragments_without_offset_table_is_read(tmp_path, syntax):
    dataset = slice_dataset(BODY, syntax=syntax)
    set_pixels(dataset, BODY.astype(np.int32) + 1024, fragments=3)
    np.testing.assert_array_equal(_hu_of(dataset, tmp_path)[0], BODY)


def test_a_fractional_slope_is_applied_and_rounded(tmp_path):
    dataset = slice_dataset(BODY, RescaleSlope="0.5", RescaleIntercept="-1000.25")
    hu, _ = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, np.rint((BODY + 1024.0) * 0.5 - 1000.25))


def test_padding_becomes_air_and_never_minus_3024(tmp_path):
    dataset = slice_dataset(BODY, signed=True)
    stored = BODY.astype(np.int32) + 1024
    stored[:4] = -2000
    set_pixels(dataset, stored)
    dataset.add_new(0x00280120, "SS", -2000)
    hu, notes = _hu_of(dataset, tmp_path)
    assert (hu[:4] == -1000).all()
    np.testing.assert_array_equal(hu[4:], BODY[4:])
    assert notes.padding_voxels == 4 * 40


def test_padding_without_a_declared_value_becomes_air(tmp_path):
    dataset = slice_dataset(BODY, signed=True)
    stored = BODY.astype(np.int32) + 1024
    stored[:4] = -2000
    set_pixels(dataset, stored)
    assert (_hu_of(dataset, tmp_path)[0][:4] == -1000).all()


def test_a_padding_range_becomes_air(tmp_path):
    stored = BODY.astype(np.int32) + 1024
    stored[0, :10] = np.arange(10)
    dataset = slice_dataset(BODY)
    set_pixels(dataset, stored)
    dataset.add_new(0x00280120, "US", 0)
    dataset.add_new(0x00280121, "US", 9)
    hu, notes = _hu_of(dataset, tmp_path)
    assert (hu[0] == -1000).all()
    assert notes.padding_voxels == 10


def test_a_padding_value_of_tissue_is_ignored(tmp_path):
    dataset = slice_dataset(BODY)
    dataset.add_new(0x00280120, "US", 1024)
    hu, notes = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, BODY)
    assert "PixelPaddingValue" in notes.conflicts[0]


def test_monochrome1_does_not_change_hu(tmp_path):
    dataset = slice_dataset(BODY, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(_hu_of(dataset, tmp_path)[0], BODY)


def test_inverted_values_with_monochrome1_are_inverted_back(tmp_path):
    dataset = slice_dataset(BODY, PhotometricInterpretation="MONOCHROME1")
    dataset.BitsStored, dataset.HighBit = 12, 11
    set_pixels(dataset, 4095 - (BODY.astype(np.int32) + 1024))
    hu, notes = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, BODY)
    assert "MONOCHROME1" in notes.conflicts[0]


def test_a_wrong_sign_in_the_header_is_corrected_by_plausible_hu(tmp_path):
    dataset = slice_dataset(BODY, signed=True, intercept=0)
    dataset.PixelRepresentation = 0
    hu, notes = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, BODY)
    assert "(0028,0103)" in notes.conflicts[0]


def test_a_signed_codestream_under_an_unsigned_header_stays_signed(tmp_path):
    dataset = slice_dataset(BODY, signed=True, intercept=0, syntax=JPEG2000Lossless)
    dataset.PixelRepresentation = 0
    np.testing.assert_array_equal(_hu_of(dataset, tmp_path)[0], BODY)


def test_bits_above_the_stored_ones_are_ignored(tmp_path):
    dataset = slice_dataset(BODY)
    dataset.BitsStored, dataset.HighBit = 12, 11
    overlay = np.where(BODY > 0, 0x8000, 0)
    set_pixels(dataset, (BODY.astype(np.int32) + 1024) | overlay)
    np.testing.assert_array_equal(_hu_of(dataset, tmp_path)[0], BODY)


def test_decoded_values_that_cannot_be_hu_fail_the_slice(tmp_path):
    stripes = np.tile(np.linspace(-32768, 32767, 40).astype(np.int16), (32, 1))
    dataset = slice_dataset(BODY, signed=True)
    set_pixels(dataset, stripes)
    with pytest.raises(SeriesError, match="cannot be HU") as caught:
        _hu_of(dataset, tmp_path)
    assert caught.value.reason is Reason.UNREADABLE
    assert caught.value.path == str(tmp_path / "slice.dcm")
    assert "slice.dcm" not in caught.value.message


@pytest.mark.parametrize("syntax", COMPRESSED)
def test_a_codestream_of_another_size_than_its_header_fails(tmp_path, syntax):
    dataset = slice_dataset(BODY, syntax=syntax)
    dataset.Rows, dataset.Columns = 40, 40
    with pytest.raises(SeriesError) as caught:
        _hu_of(dataset, tmp_path)
    assert caught.value.reason in {Reason.UNREADABLE, Reason.TRUNCATED}


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEGLosslessSV1])
def test_a_codestream_that_declares_a_huge_size_is_refused_before_decoding(tmp_path, syntax):
    path = save(slice_dataset(BODY, syntax=syntax), tmp_path / "slice.dcm")
    content = bytearray(path.read_bytes())
    extent = struct.pack(">2H", *BODY.shape)
    at = content.index(extent, content.rindex(b"\xff\xd8"))
    content[at : at + 4] = struct.pack(">2H", 65520, 65520)
    path.write_bytes(content)
    instance = read_instance(ByteSource(path))
    with pytest.raises(SeriesError, match="codestream of 65520 x 65520"):
        read_hu(instance, instance.frames[0], np.empty(BODY.shape, np.int16))


def test_an_unknown_transfer_syntax_is_named(tmp_path):
    dataset = slice_dataset(BODY, syntax=JPEG2000Lossless)
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.201"
    with pytest.raises(SeriesError, match=r"1\.2\.840\.10008\.1\.2\.4\.201 is not supp") as caught:
        _hu_of(dataset, tmp_path)
    assert caught.value.reason is Reason.UNSUPPORTED_ENCODING


def test_a_padding_range_that_contains_tissue_is_ignored(tmp_path):
    dataset = slice_dataset(
        BODY, signed=True, intercept=0, PixelPaddingValue=-3000, PixelPaddingRangeLimit=5000
    )
    hu, notes = _hu_of(dataset, tmp_path)
    np.testing.assert_array_equal(hu, BODY)
    assert "PixelPaddingValue" in notes.conflicts[0]


def test_a_rescale_slope_of_0_is_refused(tmp_path):
    with pytest.raises(SeriesError, match=r"RescaleSlope \(0028,1053\) is 0") as caught:
        _hu_of(slice_dataset(BODY, RescaleSlope="0"), tmp_path)
    assert caught.value.reason is Reason.HU_UNKNOWN


def test_compressed_pixels_with_a_native_transfer_syntax_are_refused(tmp_path):
    path = save(slice_dataset(BODY, syntax=JPEGLSLossless), tmp_path / "slice.dcm")
    native = b"1.2.840.10008.1.2.1\0\0\0"
    path.write_bytes(path.read_bytes().replace(str(JPEGLSLossless).encode(), native))
    instance = read_instance(ByteSource(path))
    with pytest.raises(SeriesError, match="The pixels are compressed") as caught:
        read_hu(instance, instance.frames[0], np.empty(BODY.shape, np.int16))
    assert caught.value.reason is Reason.UNSUPPORTED_ENCODING


def _rle_hu(tmp_path, change):
    """Reads a slice in RLE after `change` was applied to its one frame."""
    dataset = slice_dataset(BODY, syntax=RLELossless)
    dataset.PixelData = encapsulate(
        [change(encode_rle((BODY.astype(np.int32) + 1024).astype("<u2")))]
    )
    return _hu_of(dataset, tmp_path)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda frame: frame[:40], "RLE header has 64 bytes"),
        (lambda frame: struct.pack("<I", 3) + frame[4:], "names 3 segments"),
        (lambda frame: struct.pack("<2I", 2, 2**31) + frame[8:], "names 2 segments"),
        (lambda frame: frame[:-200] + bytes(200), "RLE segment holds"),
        (lambda frame: frame[:64] + bytes(len(frame) - 64), "RLE segment holds"),
    ],
)
def test_a_damaged_rle_frame_fails_the_slice_alone(tmp_path, change, sentence):
    with pytest.raises(SeriesError, match=sentence) as raised:
        _rle_hu(tmp_path, change)
    assert raised.value.reason is Reason.UNREADABLE


@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_no_damage_to_an_rle_frame_escapes_as_another_error(data):
    frame = bytearray(encode_rle(BODY.view("<u2")))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    layout = PixelLayout(32, 40, 1, "MONOCHROME2", 16, 16, 15, False, None, 0, 0)
    with contextlib.suppress(SeriesError):
        decode_frame(bytes(frame[:cut]), layout, RLELossless)


class PanicException(BaseException):
    """As pyo3 raises it out of a codec in Rust."""


@pytest.mark.parametrize("error", [PanicException("index"), KeyError(3), ImportError("lib")])
def test_whatever_a_codec_raises_the_slice_is_unreadable(tmp_path, monkeypatch, error):
    def fail(_encoded, _layout):
        raise error

    monkeypatch.setattr(codecs, "DECODERS", {RLELossless: fail})
    with pytest.raises(SeriesError, match="compressed frame cannot be read") as raised:
        _rle_hu(tmp_path, lambda frame: frame)
    assert raised.value.reason is Reason.UNREADABLE


def test_a_codec_without_memory_does_not_make_a_slice_that_may_be_filled(tmp_path, monkeypatch):
    def fail(_encoded, _layout):
        msg = "std::bad_alloc"
        raise RuntimeError(msg)

    monkeypatch.setattr(codecs, "DECODERS", {RLELossless: fail})
    with pytest.raises(MemoryError):
        _rle_hu(tmp_path, lambda frame: frame)


def test_a_deflated_stream_that_does_not_end_where_its_bytes_do_is_damaged(tmp_path):
    path = save(slice_dataset(BODY, syntax=DeflatedExplicitVRLittleEndian), tmp_path / "a.dcm")
    assert read_instance(ByteSource(path)).damage is None
    content = path.read_bytes()
    path.write_bytes(content[:-8])
    assert read_instance(ByteSource(path)).damage.reason is Reason.TRUNCATED


@pytest.mark.parametrize(("behind", "damaged"), [(b"", False), (b"\x10\x00" * 8, True)])
def test_bytes_behind_deflated_pixels_must_be_an_element(tmp_path, behind, damaged):
    dataset = slice_dataset(BODY, syntax=DeflatedExplicitVRLittleEndian)
    dataset.DataSetTrailingPadding = bytes(20)
    content = save(dataset, tmp_path / "a.dcm").read_bytes()
    start = deflated_start(content)
    inflated = zlib.decompress(content[start:], -zlib.MAX_WBITS)
    end = inflated.rindex(b"\xfc\xff\xfc\xff")
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = packer.compress(inflated[:end] + behind + inflated[end:]) + packer.flush()
    (tmp_path / "a.dcm").write_bytes(content[:start] + packed)
    assert (read_instance(ByteSource(tmp_path / "a.dcm")).damage is not None) == damaged
