import errno
import os

import pytest

from hounsfield.pipeline.batch.output_folder import folder_name, write_partial_folder
from hounsfield.pipeline.errors import OutputError
from hounsfield.preprocessing.files.atomic_write import publish_folder


def test_a_safe_identifier_is_its_own_folder_name():
    assert folder_name("1.2.840.113619") == "1.2.840.113619"


@pytest.mark.parametrize("uid", ["../../etc", "a/b", "", "..", "name with spaces", "x" * 300])
def test_an_unsafe_identifier_becomes_one_harmless_name(uid):
    name = folder_name(uid)
    assert name.strip(".")
    assert not set(name) & set("/\\ ")
    assert len(name) < 100


def test_two_identifiers_never_share_a_folder_name():
    assert folder_name("a/b") != folder_name("a b") != folder_name("a_b")


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
