"""MetaImage comes out as the same volume as the DICOM of the same data, or is refused."""

import contextlib
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.codes import NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.formats.metaimage import describe_metaimage, read_metaimage
from hounsfield.preprocessing.formats.metaimage_header import looks_like_metaimage
from tests.preprocessing.volumes import (
    AXIAL,
    CORONAL,
    OBLIQUE,
    PRONE,
    SAGITTAL,
    make_volume,
)

sitk = pytest.importorskip("SimpleITK")


def sitk_image(volume):
    image = sitk.GetImageFromArray(volume.hu)
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(volume.affine[:3, 3].tolist())
    image.SetDirection((volume.affine[:3, :3] / np.asarray(volume.spacing_mm)).ravel().tolist())
    return image


def describe(path):
    def sibling(name):
        found = path.parent / name
        return ByteSource(found) if found.is_file() else None

    return describe_metaimage(ByteSource(path), sibling)


def read(path):
    return read_metaimage(describe(path))


@pytest.mark.parametrize("directions", [AXIAL, PRONE, CORONAL, SAGITTAL, OBLIQUE])
@pytest.mark.parametrize(("name", "packed"), [("a.mhd", False), ("a.mhd", True), ("a.mha", True)])
def test_a_file_written_by_itk_reads_as_the_same_volume(tmp_path, directions, name, packed):
    volume = make_volume(directions)
    sitk.WriteImage(sitk_image(volume), str(tmp_path / name), useCompression=packed)
    again = read(tmp_path / name)
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_one_reversed_axis_is_reversed_back(tmp_path, axis):
    volume = make_volume()
    flips = [flip == axis for flip in range(3)]
    sitk.WriteImage(sitk.Flip(sitk_image(volume), flips), str(tmp_path / "a.mha"))
    again = read(tmp_path / "a.mha")
    np.testing.assert_array_equal(again.hu, volume.hu)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)


@pytest.mark.parametrize("pixel", [sitk.sitkInt32, sitk.sitkFloat32, sitk.sitkFloat64])
def test_other_element_types_give_the_same_hu(tmp_path, pixel):
    volume = make_volume()
    sitk.WriteImage(sitk.Cast(sitk_image(volume), pixel), str(tmp_path / "a.mhd"))
    np.testing.assert_array_equal(read(tmp_path / "a.mhd").hu, volume.hu)


def test_padding_below_any_hu_becomes_air(tmp_path):
    volume = make_volume()
    hu = volume.hu.copy()
    hu[:, 0, 0] = -3024
    image = sitk.GetImageFromArray(hu)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    again = read(tmp_path / "a.mha")
    assert set(again.hu[:, 0, 0]) == {-1000}
    assert again.hu.min() == -1000
    assert [notice.code for notice in again.notices] == [NoticeCode.PADDING_REPLACED]


HEADER = {
    "ObjectType": "Image",
    "NDims": "3",
    "TransformMatrix": "1 0 0 0 1 0 0 0 1",
    "Offset": "0 0 0",
    "ElementSpacing": "10 10 10",
    "DimSize": "20 20 20",
    "ElementType": "MET_SHORT",
    "ElementDataFile": "a.raw",
}


def write_header(path, **changes):
    keys = {key: value for key, value in (HEADER | changes).items() if value is not None}
    if "ElementDataFile" in keys:  # always the last
        keys["ElementDataFile"] = keys.pop("ElementDataFile")
    path.write_text("".join(f"{key} = {value}\n" for key, value in keys.items()))
    return path


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"ElementDataFile": "gone.raw"}, Reason.UNREADABLE, r"'gone\.raw' is not there"),
        ({"ElementDataFile": None}, Reason.TRUNCATED, "must end with ElementDataFile"),
        ({"DimSize": "20 20 200"}, Reason.TRUNCATED, "need 160000 bytes, 16000 are there"),
        ({"DimSize": "20 20 18"}, Reason.INCONSISTENT_GEOMETRY, "1600 bytes follow the 20 x 20"),
        ({"DimSize": "90000 90000 90000"}, Reason.IMPOSSIBLE_SIZE, "no patient is so large"),
        ({"ElementSpacing": "99 99 10"}, Reason.IMPOSSIBLE_SIZE, "no patient is so large"),
        ({"ElementSpacing": "10 10 -10"}, Reason.INCONSISTENT_GEOMETRY, "must be positive"),
        ({"TransformMatrix": "2 0 0 0 2 0 0 0 2"}, Reason.INCONSISTENT_GEOMETRY, "1 long"),
        ({"Position": "1 2 3"}, Reason.INCONSISTENT_GEOMETRY, "contradicts itself: offset = 0 0 0"),
        ({"dimsize": "20 20 10"}, Reason.INCONSISTENT_GEOMETRY, "states dimsize twice"),
        ({"DimSize": "20 20 20.5"}, Reason.UNREADABLE, "dimsize must be 3 whole numbers"),
        ({"HeaderSize": "-2"}, Reason.UNREADABLE, "HeaderSize must be"),
        ({"ElementDataFile": "LIST"}, Reason.UNSUPPORTED_ENCODING, "Slice lists are not read"),
        (
            {"ElementDataFile": "s%03d.raw 1 20 1"},
            Reason.UNSUPPORTED_ENCODING,
            "Slice lists are not read",
        ),
        (
            {"HeaderSize": "-1", "CompressedData": "True"},
            Reason.UNREADABLE,
            "need CompressedDataSize",
        ),
        ({"DimSize": "20 20 0"}, Reason.INCONSISTENT_GEOMETRY, "not a CT volume"),
        ({"DimSize": "20 20 -3"}, Reason.INCONSISTENT_GEOMETRY, "not a CT volume"),
        ({"DimSize": "20 20"}, Reason.UNREADABLE, "dimsize must be 3 numbers, got '20 20'"),
        ({"NDims": "4"}, Reason.INCONSISTENT_GEOMETRY, "NDims must be 3"),
        ({"ElementNumberOfChannels": "3"}, Reason.INCONSISTENT_GEOMETRY, "1 channel"),
        ({"Offset": None}, Reason.NO_POSITION, "Offset and ElementSpacing"),
        ({"ElementSpacing": "10 10 nan"}, Reason.UNREADABLE, "elementspacing must be 3 numbers"),
        ({"ElementSpacing": "10 10 0"}, Reason.INCONSISTENT_GEOMETRY, "must be finite"),
        (
            {"TransformMatrix": "1 0 0 0 1 0 0 .28 .96"},
            Reason.INCONSISTENT_GEOMETRY,
            "right angles",
        ),
        ({"ElementType": "MET_STRING"}, Reason.UNSUPPORTED_ENCODING, "MET_STRING"),
    ],
)
def test_a_wrong_header_is_refused_with_a_sentence(tmp_path, changes, reason, words):
    (tmp_path / "a.raw").write_bytes(bytes(20 * 20 * 20 * 2))
    path = write_header(tmp_path / "b.mhd", **changes)
    with pytest.raises(SeriesError, match=words) as raised:
        describe(path)
    assert raised.value.reason is reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Modality": "MET_MOD_MR"}, Reason.NOT_CT),
        ({"ElementType": "MET_UCHAR"}, Reason.NOT_CT),
        ({"ElementSpacing": "1 1 5"}, Reason.NOT_CHEST),
        ({"ElementSpacing": "20 20 1.5"}, Reason.TOO_FEW_SLICES),
    ],
)
def test_headers_alone_reject_a_file_that_is_no_chest_ct(tmp_path, changes, reason):
    (tmp_path / "a.raw").write_bytes(bytes(20 * 20 * 20 * 2))
    series = describe(write_header(tmp_path / "a.mhd", **changes))
    assert series.rejection.reason is reason
    assert series.readable is (reason is not Reason.NOT_CT)


def test_damaged_compressed_data_are_unreadable(tmp_path):
    (tmp_path / "a.zraw").write_bytes(b"not zlib" * 99)
    path = write_header(tmp_path / "a.mhd", CompressedData="True", ElementDataFile="a.zraw")
    with pytest.raises(SeriesError, match="damaged") as raised:
        read(path)
    assert raised.value.reason is Reason.UNREADABLE


def test_big_endian_data_and_a_header_in_front_of_them_are_read(tmp_path):
    values = (np.arange(8000) - 1000).astype(">i2")
    (tmp_path / "a.raw").write_bytes(b"junk" + values.tobytes())
    path = write_header(tmp_path / "a.mhd", HeaderSize="-1", ElementByteOrderMSB="True")
    np.testing.assert_array_equal(read(path).hu.ravel(), values)
    path = write_header(tmp_path / "a.mhd", HeaderSize="4", ElementByteOrderMSB="True")
    np.testing.assert_array_equal(read(path).hu.ravel(), values)


def test_content_decides_not_the_name():
    assert looks_like_metaimage(b"Comment = by hand\nNDims = 3\n")
    assert not looks_like_metaimage(b"name = NDims\n[section]\n")


def test_the_data_file_may_have_a_name_in_any_alphabet(tmp_path):
    volume = make_volume()
    sitk.WriteImage(sitk_image(volume), str(tmp_path / "\u80ba.mhd"))
    assert (tmp_path / "\u80ba.raw").is_file()
    np.testing.assert_array_equal(read(tmp_path / "\u80ba.mhd").hu, volume.hu)


RAW = (np.arange(8000) - 1000).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("spelt", "read"),
    [
        ("ElementDataFile", "elementDataFile"),
        ("DimSize", "dimsize"),
        ("ElementType", "ELEMENTTYPE"),
    ],
)
def test_keys_are_found_in_any_case(tmp_path, spelt, read):
    (tmp_path / "a.raw").write_bytes(RAW)
    path = write_header(tmp_path / "a.mhd")
    path.write_text(path.read_text().replace(spelt, read))
    assert describe(path).shape_zyx == (20, 20, 20)


def test_a_long_comment_may_come_first():
    comment = b"Comment = " + b"made by hand " * 60 + b"\n"
    assert len(comment) > 700
    assert looks_like_metaimage(comment + b"NDims = 3\n")
    assert not looks_like_metaimage(b"notes on a scan\n" * 40 + b"NDims = 3\n")


def test_a_renamed_pair_is_read_where_the_size_fits_exactly(tmp_path):
    path = write_header(tmp_path / "new.mhd", ElementDataFile="old.raw")
    (tmp_path / "new.raw").write_bytes(RAW)
    volume = read(path)
    np.testing.assert_array_equal(volume.hu.ravel(), np.frombuffer(RAW, "<i2"))
    [notice] = volume.notices
    assert notice.code is NoticeCode.HEADER_CONFLICT
    assert (notice.numbers["named"], notice.numbers["read"]) == ("old.raw", "new.raw")
    (tmp_path / "new.raw").write_bytes(RAW + b"\0")
    with pytest.raises(SeriesError, match=r"'old\.raw' is not there"):
        describe(path)


def test_compressed_data_may_be_the_last_bytes_of_their_file(tmp_path):
    packed = zlib.compress(RAW)
    (tmp_path / "a.zraw").write_bytes(b"another header" + packed)
    path = write_header(
        tmp_path / "a.mhd",
        HeaderSize="-1",
        CompressedData="True",
        CompressedDataSize=str(len(packed)),
        ElementDataFile="a.zraw",
    )
    np.testing.assert_array_equal(read(path).hu.ravel(), np.frombuffer(RAW, "<i2"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda packed: packed[:3000] + b"\x05\x02" * 50 + packed[3100:], Reason.UNREADABLE),
        (lambda packed: packed[:-4] + b"\0\0\0\0", Reason.UNREADABLE),
        (lambda packed: packed[:-4], Reason.TRUNCATED),
    ],
)
def test_the_checksum_behind_compressed_voxels_is_compared(tmp_path, change, reason):
    (tmp_path / "a.zraw").write_bytes(change(zlib.compress(RAW, 0)))
    path = write_header(tmp_path / "a.mhd", CompressedData="True", ElementDataFile="a.zraw")
    with pytest.raises(SeriesError, match=r"copy (it|the file) again") as raised:
        read(path)
    assert raised.value.reason is reason


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(sorted(HEADER)),
    value=st.one_of(
        st.text(max_size=12),
        st.lists(st.floats(), max_size=10).map(lambda many: " ".join(map(str, many))),
        st.sampled_from(["1e400", "-1 -1 -1", "nan nan nan", "LIST 9", "\0", "/" * 300]),
    ),
)
def test_no_value_of_a_header_brings_about_another_exception(tmp_path, key, value):
    (tmp_path / "a.raw").write_bytes(RAW)
    lines = "".join(f"{k} = {value if k == key else v}\n" for k, v in HEADER.items())
    (tmp_path / "a.mhd").write_bytes(lines.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(SeriesError, OSError):
        read(tmp_path / "a.mhd")
