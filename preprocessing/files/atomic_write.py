"""Files and folders that appear complete or not at all: temporary name, fsync, rename.

A temporary name ends in ``.partial`` and begins with a dot. Only a process that is killed leaves
one behind; whoever owns the parent folder may delete it at the next start.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.preprocessing.errors import writing_to

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # <fcntl.h> and <stdio.h> of Linux; see renameat2(2)
_CANNOT_EXCHANGE = frozenset({errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOTSUP})


@contextmanager
def private_files() -> Iterator[None]:
    """Lets nobody but the owner read what this process and its children create meanwhile.

    It holds for each file and folder, whoever makes it: SQLite, a lock, a picture. A stricter umask
    stays as strict. The umask belongs to the process, so that no other thread should write files
    for others at the same time.

    Yields:
        Nothing; files and folders are made inside the ``with`` block.
    """
    before = os.umask(0o077)
    os.umask(before | 0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Gives a temporary path beside `path`; the file written there replaces `path` at the end.

    Args:
        path: The file to write. Its folder must exist.

    Yields:
        The temporary path, where nothing is yet.

    Raises:
        OutputError: The file cannot be written; an earlier file at `path` is still there.
    """
    temporary = path.with_name(f".{path.name}.{_token()}.partial")
    try:
        with writing_to(path):
            yield temporary
            sync(temporary)
            temporary.replace(path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Gives a new temporary folder beside `path`, which takes the place of `path` at the end.

    The earlier folder at `path` goes as a whole, with all its files. Where the file system can
    exchange two names, there is no moment in which neither folder is at `path`.

    Args:
        path: The folder to write; missing parents are created.

    Yields:
        The temporary folder, empty.

    Raises:
        OutputError: The folder cannot be written; an earlier one at `path` is still there.
    """
    with partial_folder(path.parent, name=path.name) as partial:
        yield partial
    try:
        publish_folder(partial, path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


@contextmanager
def partial_folder(parent: Path, *, name: str = "folder") -> Iterator[Path]:
    """Makes a temporary folder, and brings all that was written there to disk at the end.

    This is the first half of `atomic_folder`, for a process that leaves the second half,
    `publish_folder`, to another. After an exception the temporary folder is removed.

    Args:
        parent: Where the folder is made, on the file system of its final place; created if
            missing.
        name: Part of the temporary name, to show where a leftover came from.

    Yields:
        The temporary folder, empty.

    Raises:
        OutputError: The folder cannot be written.
    """
    folder = parent / f".{name}.{_token()}.partial"
    try:
        with writing_to(parent / name):
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()  # with the permissions of the user's umask, unlike tempfile.mkdtemp
            yield folder
            _sync_tree(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def publish_folder(
    partial: Path, final: Path, *, exchange: Callable[[Path, Path], bool] | None = None
) -> None:
    """Renames a complete folder to its final place, and removes an earlier folder there.

    Args:
        partial: A folder that `partial_folder` made, on the file system of `final`.
        final: Its place; missing parents are created.
        exchange: Swaps two names, or returns False where it cannot; `exchange_names` by default.

    Raises:
        OutputError: It cannot be renamed; an earlier folder at `final` is still there.
    """
    with writing_to(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            _replace(partial, final, exchange or exchange_names)
        else:
            partial.rename(final)
        sync(final.parent)


def remove_folder(folder: Path) -> None:
    """Removes a folder, if there is one, in a single step: no half of it is ever at its place.

    Args:
        folder: The folder with all its files.

    Raises:
        OutputError: It cannot be removed.
    """
    doomed = folder.with_name(f".{folder.name}.{_token()}.removed.partial")
    with writing_to(folder):
        if folder.exists():
            folder.rename(doomed)
            shutil.rmtree(doomed)


def exchange_names(first: Path, second: Path) -> bool:
    """Swaps two names of one file system in a single step.

    Args:
        first: A file or folder.
        second: Another one, on the same file system.

    Returns:
        Whether they were swapped; False where the system or the file system cannot (NFS, macOS).

    Raises:
        OSError: One of them does not exist, or may not be renamed.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    names = os.fsencode(first), os.fsencode(second)
    if renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(second))


def sync(path: Path) -> None:
    """Asks the operating system to bring a file, or the entries of a folder, to disk.

    Args:
        path: An existing file or folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _token() -> str:
    """Part of a temporary name that no other process and no other thread uses."""
    return f"{os.getpid()}.{secrets.token_hex(4)}"


def _sync_tree(folder: Path) -> None:
    folder = folder.absolute()  # os.walk repeats a relative folder in front of each path
    for path, _, files in os.walk(folder, topdown=False):
        for name in [*files, "."]:
            sync(Path(path) / name)


def _replace(partial: Path, final: Path, exchange: Callable[[Path, Path], bool]) -> None:
    """Puts `partial` in the place of the folder `final`, and removes what was there."""
    if exchange(partial, final):
        shutil.rmtree(partial)
        return
    old = partial.with_name(f"{partial.name}.old.partial")
    final.rename(old)
    try:
        partial.rename(final)
    except OSError:
        old.rename(final)
        raise
    shutil.rmtree(old)
