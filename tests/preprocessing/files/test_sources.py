"""A source is the file that was found, and a member of an archive is read in bounded memory."""

import io
import os
import pickle
import tracemalloc
import zipfile

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files import member_stream
from hounsfield.preprocessing.files.archives import list_archive
from hounsfield.preprocessing.files.member_stream import drain
from hounsfield.preprocessing.files.siblings import Siblings
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.reading import read_volume
from tests.preprocessing.dicom_files import save_stack, stack_datasets

DATA = np.random.default_rng(3).bytes(150_000) + bytes(300_000) + bytes(range(256)) * 500


def zipped(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    archive = ByteSource.found(path)
    return [archive.member(entry) for entry in list_archive(path).entries]


def rewrite(path):
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_file_that_changed_since_it_was_found_is_unreadable(tmp_path, method):
    path = tmp_path / "a.dcm"
    path.write_bytes(b"old")
    source = pickle.loads(pickle.dumps(ByteSource.found(path)))
    with source.open() as file:
        assert file.read() == b"old"
    [member] = zipped(tmp_path / "a.zip", {"m": DATA}, method)
    for changed in (path, tmp_path / "a.zip"):
        rewrite(changed)
    for opened in (source.open, source.open_stream, member.open, member.open_stream):
        with pytest.raises(SeriesError, match="changed since it was found; run again") as raised:
            opened()
        assert raised.value.reason is Reason.UNREADABLE


def test_the_stamp_is_no_part_of_what_a_source_is(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    assert ByteSource.found(tmp_path / "a") == ByteSource(tmp_path / "a")
    assert len({ByteSource.found(tmp_path / "a"), ByteSource(tmp_path / "a")}) == 1


def test_a_series_whose_slice_was_replaced_after_discovery_is_not_read_at_old_offsets(tmp_path):
    save_stack(stack_datasets([5.0 * n for n in range(12)]), tmp_path)
    [series] = discover([tmp_path]).series
    for source in series.sources:
        source.path.write_bytes(b"0" * 100 + source.path.read_bytes())
    with pytest.raises(SeriesError, match="changed since it was found"):
        read_volume(series)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    moves=st.lists(
        st.tuples(st.integers(0, len(DATA) + 9), st.integers(0, 200_000)), min_size=1, max_size=6
    ),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_a_member_reads_and_seeks_like_a_file(tmp_path, moves, method):
    [member] = zipped(tmp_path / "a.zip", {"m": DATA}, method)
    whole = io.BytesIO(DATA)
    with pytest.MonkeyPatch.context() as patch, member.open_stream() as stream:
        patch.setattr(member_stream, "HEAD_BYTES", 50_000)
        assert stream.seek(0, 2) == len(DATA)
        for position, count in moves:
            stream.seek(position)
            whole.seek(position)
            assert stream.read(count) == whole.read(count)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_looking_at_a_large_member_takes_little_memory(tmp_path, method):
    data = np.random.default_rng(0).bytes(2**20) * 48
    [member] = zipped(tmp_path / "a.zip", {"m": data}, method)
    del data
    tracemalloc.start()
    with member.open_stream() as stream:
        assert len(stream.read(32 * 1024)) == 32 * 1024
        stream.seek(40 * 2**20)
        assert len(stream.read(8)) == 8
        drain(stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def test_discovery_never_holds_a_member_of_an_archive(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape((512, 512, 100))
    header.set_sform(np.diag([0.7, 0.7, 3, 1]), "scanner")
    header["pixdim"][1:4] = 0.7, 0.7, 3
    header["magic"], header["vox_offset"] = b"n+1", 352
    voxels = np.random.default_rng(0).bytes(2**20) * 50
    whole = header.binaryblock + bytes(4) + voxels
    zipped(tmp_path / "a.zip", {"scan.nii": whole, "notes": b"no image" + voxels})
    del whole, voxels
    discover([tmp_path / "a.zip"])  # imports what it needs
    tracemalloc.start()
    discovery = discover([tmp_path / "a.zip"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [series.shape_zyx for series in discovery.series] == [(100, 512, 512)]
    assert peak < 16 * 2**20


def damage(path, change):
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def test_a_streams_checksum_is_compared_at_its_end(tmp_path):
    [member] = zipped(tmp_path / "a.zip", {"m": DATA}, zipfile.ZIP_STORED)
    damage(tmp_path / "a.zip", lambda data: data.__setitem__(70_000, data[70_000] ^ 1))
    with ByteSource(member.path, member.entry).open_stream() as stream:
        assert stream.read(100) == DATA[:100]
        with pytest.raises(SeriesError, match="The checksum does not match"):
            drain(stream)


def test_a_stream_ends_where_its_archive_says(tmp_path):
    [member] = zipped(tmp_path / "a.zip", {"m": DATA})
    for size, words in ((1000, "more than the 1000 bytes"), (10**6, "1000000 bytes expected")):
        damage(
            tmp_path / "a.zip",
            lambda data, size=size: data.__setitem__(
                slice(data.index(b"PK\x01\x02") + 24, data.index(b"PK\x01\x02") + 28),
                size.to_bytes(4, "little"),
            ),
        )
        [liar] = list_archive(tmp_path / "a.zip").entries
        with (
            ByteSource(member.path, liar).open_stream() as stream,
            pytest.raises(SeriesError, match=words),
        ):
            drain(stream)


def test_backslashes_in_an_archive_part_folders(tmp_path):
    header, data = zipped(tmp_path / "a.zip", {"scan\\a.mhd": b"1", "scan\\a.raw": b"2"})
    assert (header.name, header.folder) == ("a.mhd", f"{tmp_path / 'a.zip'}!scan")
    siblings = Siblings()
    siblings.add_archive(tmp_path / "a.zip", [header, data])
    assert siblings.find(header, ["a.raw"]) == data
    assert siblings.find(header, ["A.RAW"]) == data


def test_a_sibling_in_another_case_is_found_where_one_alone_fits(tmp_path):
    (tmp_path / "Data").mkdir()
    for name in ("a.mhd", "Data/Scan.RAW", "x.raw", "X.RAW", "b.raw"):
        (tmp_path / name).touch()
    header = ByteSource.found(tmp_path / "a.mhd")

    def found(*parts):
        source = Siblings().find(header, parts)
        return source and source.path.relative_to(tmp_path).as_posix()

    assert found("b.raw") == "b.raw"
    assert found("B.Raw") == "b.raw"
    assert found("data", "scan.raw") == "Data/Scan.RAW"
    assert found("X.RAW") == "X.RAW"
    assert found("X.raw") is None
    assert found("gone.raw") is None
