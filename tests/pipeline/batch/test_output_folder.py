import errno
import os
import re

import pytest

from hounsfield.pipeline.batch.output_folder import folder_name, write_partial_folder
from hounsfield.pipeline.errors import OutputError
from hounsfield.preprocessing.files.atomic_write import publish_folder


@pytest.mark.parametrize(
    "uid", ["1.2.840.113619", "7", "file-0123456789abcdef", "series-0123456789abcdef-part2"]
)
def test_a_uid_and_an_identifier_of_our_own_are_their_own_folder_names(uid):
    assert folder_name(uid) == uid


def test_the_number_of_a_part_stays_in_the_folder_name():
    assert folder_name("1.2.3#2") == "1.2.3-2"


@pytest.mark.parametrize(
    "uid",
    [
        "../../etc",
        "a/b",
        "",
        "..",
        "1..2",
        "DOE_JOHN",
        "no-uid-DOE",
        "1.2-DOE",
        "doe-0123456789abcdef",
        "1" * 300,
        "\ud800",
    ],
)
def test_any_other_identifier_becomes_a_hash_that_says_nothing(uid):
    assert re.fullmatch(r"id-[0-9a-f]{16}", folder_name(uid))


def test_two_identifiers_never_share_a_folder_name():
    names = ["a/b", "a b", "a_b", "1.2#3", "1.2-3", "1.2.3", "1.2-part3", "1.2#part3"]
    assert len({folder_name(name) for name in names}) == len(names)


def test_a_full_disk_leaves_no_half_written_folder(tmp_path, monkeypatch):
    def no_space(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OutputError, match="No space left on device"):
        write_partial_folder(tmp_path, {"report.json": b"{}"})
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_published_folder_replaces_an_older_one(tmp_path):
    final = tmp_path / "studies" / "1" / "2"
    for content in (b"old", b"new"):
        publish_folder(write_partial_folder(tmp_path, {"report.json": content}), final)
    assert (final / "report.json").read_bytes() == b"new"
    assert not list((tmp_path / ".partial").iterdir())
