import os
from pathlib import Path

import pytest

from hounsfield.preprocessing.errors import OutputError
from hounsfield.preprocessing.files import atomic_write
from hounsfield.preprocessing.files.atomic_write import (
    atomic_file,
    atomic_folder,
    exchange_names,
    partial_folder,
    private_files,
    publish_folder,
    remove_folder,
)


def _write(path, content):
    with atomic_folder(path) as folder:
        (folder / "report.json").write_text(content)


def _content(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def _cannot_exchange(first, second):
    """A file system that knows no exchange."""
    del first, second
    return False


def test_a_folder_is_not_at_its_place_before_it_is_complete(tmp_path):
    final = tmp_path / "new" / "folder"
    with atomic_folder(final) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
        assert not final.exists()
    assert (final / "inner" / "a.txt").read_text() == "a"
    assert [path.name for path in final.parent.iterdir()] == ["folder"]


def test_a_relative_path_is_written_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with atomic_folder(Path("out")) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a.txt").write_text("a")
    assert (tmp_path / "out" / "inner" / "a.txt").read_text() == "a"
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


def test_a_new_folder_replaces_the_earlier_one_with_all_its_files(tmp_path):
    final = tmp_path / "folder"
    _write(final, "first")
    (final / "only_in_the_first").write_text("")
    _write(final, "second")
    assert _content(final) == {"report.json": "second"}
    assert list(tmp_path.iterdir()) == [final]


def test_without_exchange_a_new_folder_replaces_the_earlier_one_too(tmp_path):
    final = tmp_path / "folder"
    _write(final, "first")
    with partial_folder(tmp_path) as partial:
        (partial / "report.json").write_text("second")
    publish_folder(partial, final, exchange=_cannot_exchange)
    assert _content(final) == {"report.json": "second"}
    assert list(tmp_path.iterdir()) == [final]


def test_an_exchanged_name_is_never_missing(tmp_path, monkeypatch):
    final, other = tmp_path / "folder", tmp_path / "other"
    _write(final, "first")
    other.mkdir()
    if not exchange_names(final, other):
        pytest.skip("this file system cannot exchange two names")
    assert _content(other) == {"report.json": "first"}

    def refuse(self, target):
        pytest.fail(f"{self} is renamed to {target}")

    monkeypatch.setattr(type(final), "rename", refuse)
    _write(final, "second")
    assert _content(final) == {"report.json": "second"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_exception_the_earlier_folder_stays_and_nothing_else(tmp_path, error):
    final = tmp_path / "folder"
    _write(final, "first")

    def fail_half_way():
        with atomic_folder(final) as folder:
            (folder / "report.json").write_text("second")
            raise error

    with pytest.raises(error):
        fail_half_way()
    assert _content(final) == {"report.json": "first"}
    assert list(tmp_path.iterdir()) == [final]


def test_a_failed_rename_leaves_the_earlier_folder_in_its_place(tmp_path):
    final = tmp_path / "folder"
    _write(final, "first")
    with pytest.raises(OutputError, match="cannot be written"):
        publish_folder(tmp_path / "missing", final, exchange=_cannot_exchange)
    assert _content(final) == {"report.json": "first"}


def test_a_full_disk_is_an_output_error_and_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="No space left"), atomic_folder(tmp_path / "folder"):
        raise OSError(28, os.strerror(28))
    assert not list(tmp_path.iterdir())


def test_files_and_folders_are_synced_before_the_rename_and_the_parent_after(tmp_path, monkeypatch):
    final = tmp_path / "folder"
    synced = []
    sync = atomic_write.sync

    def record(path):
        synced.append((path.resolve().name, final.exists()))
        sync(path)

    monkeypatch.setattr(atomic_write, "sync", record)
    with atomic_folder(final) as folder:
        (folder / "a.txt").write_text("a")
    names = [name for name, _ in synced]
    assert names == ["a.txt", folder.name, tmp_path.name]
    assert [was_published for _, was_published in synced] == [False, False, True]


def test_a_partial_folder_is_published_later_by_another(tmp_path):
    with partial_folder(tmp_path / ".partial") as first, partial_folder(tmp_path / ".partial"):
        (first / "a.txt").write_text("a")
    assert first.exists()
    publish_folder(first, tmp_path / "studies" / "one")
    assert _content(tmp_path / "studies" / "one") == {"a.txt": "a"}


def test_a_folder_has_the_permissions_of_the_users_umask(tmp_path):
    before = os.umask(0o027)
    try:
        _write(tmp_path / "folder", "")
    finally:
        os.umask(before)
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750


def test_a_removed_folder_leaves_nothing_and_a_missing_one_is_no_error(tmp_path):
    _write(tmp_path / "folder", "")
    remove_folder(tmp_path / "folder")
    remove_folder(tmp_path / "folder")
    assert not list(tmp_path.iterdir())


def test_a_file_is_not_replaced_before_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("first")

    def fail_half_way():
        with atomic_file(path) as temporary:
            temporary.write_text("seco")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - any error
        fail_half_way()
    assert _content(tmp_path) == {"a.txt": "first"}
    with atomic_file(path) as temporary:
        temporary.write_text("second")
        assert path.read_text() == "first"
    assert _content(tmp_path) == {"a.txt": "second"}


def test_a_file_is_synced_before_the_rename_and_its_folder_after(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    synced = []
    sync = atomic_write.sync

    def record(place):
        synced.append((place, path.exists()))
        sync(place)

    monkeypatch.setattr(atomic_write, "sync", record)
    with atomic_file(path) as temporary:
        temporary.write_text("a")
    assert synced == [(temporary, False), (tmp_path, True)]


def test_sync_reaches_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.touch()
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    atomic_write.sync(path)
    assert synced == [path.stat().st_ino]


def test_two_threads_of_a_process_write_the_same_file_apart(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_file(path) as first:
        first.write_text("first")
        with atomic_file(path) as second:
            second.write_text("second")
        assert path.read_text() == "second"
    assert _content(tmp_path) == {"a.txt": "first"}


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o600), (0o277, 0o400)])
def test_private_files_are_the_owners_only_and_a_stricter_umask_stays(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with private_files():
            (tmp_path / "file").touch()
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode
