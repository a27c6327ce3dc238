"""Zip archives are listed and read within limits, and nothing of them reaches the disk."""

import contextlib
import io
import os
import random
import struct
import zipfile
import zlib
from dataclasses import replace

import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files import archives
from hounsfield.preprocessing.files.archives import list_archive
from hounsfield.preprocessing.files.members import open_entry, read_entry, read_entry_head
from hounsfield.preprocessing.files.sources import ByteSource


def make_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_reads_as_it_was_packed(tmp_path, method):
    data = bytes(range(256)) * 40
    path = make_zip(tmp_path / "a.zip", {"x.txt": b"x", "folder/slice.dcm": data}, method)
    entry = list_archive(path).entries[1]
    source = ByteSource(path, entry)
    assert read_entry(path, entry) == data
    assert read_entry_head(path, entry, 300) == data[:300]
    assert source.open().read() == data
    assert source.size_bytes() == len(data)
    assert str(source) == f"{path}!folder/slice.dcm"
    assert (source.name, source.folder) == ("slice.dcm", f"{path}!folder")


def test_two_members_of_one_name_are_two_entries(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("same", b"first")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("same", b"second")
    contents = [read_entry(path, entry) for entry in list_archive(path).entries]
    assert contents == [b"first", b"second"]


@pytest.mark.parametrize("name", ["../evil.dcm", "a/../../evil.dcm", "/etc/evil", "C:/evil"])
def test_a_name_that_points_outside_is_refused_and_the_rest_is_read(tmp_path, name):
    path = make_zip(tmp_path / "slip.zip", {name: b"evil", "good": b"good"})
    listing = list_archive(path)
    assert [entry.name for entry in listing.entries] == ["good"]
    [(refused, error)] = listing.refused
    assert refused == name
    assert error.reason is Reason.ARCHIVE_UNSAFE
    assert error.path == f"{path}!{name}"


def test_a_bomb_is_refused_from_its_directory_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "RATIO_FREE_BYTES", 2**20)
    path = make_zip(tmp_path / "bomb.zip", {f"{n}": bytes(2**20) for n in range(3)})
    with pytest.raises(SeriesError, match="zip bomb") as raised:
        list_archive(path)
    assert raised.value.reason is Reason.ARCHIVE_UNSAFE


def test_members_that_share_their_packed_bytes_are_refused(tmp_path):
    data = bytearray(make_zip(tmp_path / "a.zip", {"one": bytes(9999)}).read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 20 : at + 24] = struct.pack("<I", 10**6)
    path = tmp_path / "overlap.zip"
    path.write_bytes(data)
    with pytest.raises(SeriesError, match="overlap"):
        list_archive(path)


def test_a_member_larger_than_the_directory_promises_is_refused(tmp_path):
    data = bytearray(make_zip(tmp_path / "a.zip", {"one": bytes(10**6)}).read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 1000)
    path = tmp_path / "liar.zip"
    path.write_bytes(data)
    [entry] = list_archive(path).entries
    with pytest.raises(SeriesError, match="more than the 1000 bytes") as raised:
        read_entry(path, entry)
    assert raised.value.reason is Reason.ARCHIVE_UNSAFE


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_member_that_the_directory_calls_empty_and_is_not_is_refused(tmp_path, method):
    [entry] = list_archive(make_zip(tmp_path / "a.zip", {"one": b"content"}, method)).entries
    with pytest.raises(SeriesError):
        read_entry(tmp_path / "a.zip", replace(entry, size=0))


def test_a_huge_directory_is_refused_before_it_is_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_DIRECTORY_BYTES", 100)
    path = make_zip(tmp_path / "many.zip", {f"member-{n}": b"" for n in range(10)})
    with pytest.raises(SeriesError, match="directory alone"):
        list_archive(path)


def test_a_cut_archive_is_truncated(tmp_path):
    whole = make_zip(tmp_path / "a.zip", {"one": bytes(range(256)) * 99}).read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SeriesError, match="no end record") as raised:
        list_archive(path)
    assert raised.value.reason is Reason.TRUNCATED


def test_a_wrong_checksum_is_named_with_the_member(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"one": b"hello world"}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"hello", b"jello"))
    [entry] = list_archive(path).entries
    with pytest.raises(SeriesError, match="The checksum does not match") as raised:
        read_entry(path, entry)
    assert raised.value.reason is Reason.UNREADABLE
    assert raised.value.path == f"{path}!one"


def test_encrypted_members_get_one_message_for_all(tmp_path):
    data = bytearray(make_zip(tmp_path / "a.zip", {"one": b"1", "two": b"2"}).read_bytes())
    for at in (data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")):
        data[at + 8] |= 1
    path = tmp_path / "locked.zip"
    path.write_bytes(data)
    listing = list_archive(path)
    assert listing.entries == ()
    [(_, error)] = listing.refused
    assert "2 of 2 members of the zip archive are encrypted" in error.message


def test_an_unsupported_zip_compression_is_named(tmp_path):
    path = make_zip(tmp_path / "a.zip", {"one": b"1" * 999}, zipfile.ZIP_BZIP2)
    [entry] = list_archive(path).entries
    with pytest.raises(SeriesError, match="method 12") as raised:
        read_entry(path, entry)
    assert raised.value.reason is Reason.UNSUPPORTED_ENCODING


def test_an_archive_without_files_says_so(tmp_path):
    path = tmp_path / "empty.zip"
    buffer = io.BytesIO()
    zipfile.ZipFile(buffer, "w").close()
    path.write_bytes(buffer.getvalue())
    with pytest.raises(SeriesError, match="holds no files"):
        list_archive(path)


def test_a_member_that_packs_too_well_is_refused_and_the_rest_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "RATIO_FREE_BYTES", 2**20)
    noise = bytes(range(256)) * 8000
    members = {"bomb": bytes(2**21), "good": zlib.compress(noise), "big": os.urandom(2**20)}
    listing = list_archive(make_zip(tmp_path / "a.zip", members))
    assert [entry.name for entry in listing.entries] == ["good", "big"]
    [(name, error)] = listing.refused
    assert (name, error.reason) == ("bomb", Reason.ARCHIVE_UNSAFE)
    assert "more than 100 times its compressed size" in error.message


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_archive_costs_that_archive_only(tmp_path, seed):
    rng = random.Random(seed)
    path = make_zip(tmp_path / "a.zip", {f"{n}.dcm": bytes(range(256)) * n for n in range(9)})
    data = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 30)):
        data[rng.randrange(data.index(b"PK\x01\x02"), len(data))] = rng.randrange(256)
    path.write_bytes(data)
    try:
        listing = list_archive(path)
    except SeriesError:
        return
    for entry in listing.entries:
        with contextlib.suppress(SeriesError):
            read_entry(path, entry)
        with contextlib.suppress(SeriesError), open_entry(path, entry) as stream:
            stream.read()


def test_an_archive_whose_directory_lost_a_member_is_damaged(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(name, name)
    content = bytearray(path.read_bytes())
    end = content.rfind(b"PK\x05\x06")
    content[end + 8 : end + 12] = (4).to_bytes(2, "little") * 2
    path.write_bytes(bytes(content))
    with pytest.raises(SeriesError, match="lists 3 members, its end record counts 4") as raised:
        list_archive(path)
    assert raised.value.reason is Reason.UNREADABLE
