"""Whether a volume fits into the memory of this computer, asked before anything is allocated."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

COPIES: Final = 2
"""Arrays of a volume's size that exist at once: the volume, and one of the stored values, of the
stack before it is resampled, or of the volume turned upright."""

RUN_BYTES: Final = 256 * 2**20
"""What a run needs beside them, whatever the size of the volume: the coarse and the working grid
around the lungs, and the networks' tiles."""

_UNLIMITED: Final = 2**60
"""A limit above this is none: version 1 of cgroups writes 2^63 - 4096."""


def memory_rejection(
    shape_zyx: tuple[int, int, int],
    path: Path | str,
    *,
    stored_bytes: int = 2,
    available_bytes: int | None = None,
) -> SeriesError | None:
    """Returns why a volume is not read on this computer; None if it may be allocated.

    Args:
        shape_zyx: Number of slices, rows and columns.
        path: The file or folder, for the error.
        stored_bytes: Bytes of one stored value, where the values are held beside the HU.
        available_bytes: Memory that may be allocated; by default what this process may still have.

    Returns:
        `out_of_memory` with both figures, if the volume as int16, a copy of it and `RUN_BYTES` are
        more than there is.
    """
    if available_bytes is None:
        available_bytes = available_memory_bytes()
    if available_bytes is None:
        return None
    voxel_bytes = max(2 * COPIES, 2 + stored_bytes)
    needed = math.prod(shape_zyx) * voxel_bytes + RUN_BYTES
    if needed <= available_bytes:
        return None
    z, y, x = shape_zyx
    msg = (
        f"{x} x {y} x {z} voxels need {needed / 1e9:.1f} GB of memory, {available_bytes / 1e9:.1f} "
        "GB are available; use a computer with more memory, or fewer workers"
    )
    return SeriesError(Reason.OUT_OF_MEMORY, msg, path=path)


def available_memory_bytes(
    *, proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Returns how many bytes this process may still allocate; None where the system does not say.

    The least of three figures counts: what the kernel calls available, and what the limits of the
    container's control groups and of the address space (``ulimit -v``) leave.

    Args:
        proc: Where the kernel's process file system is mounted.
        cgroups: Where the control groups are mounted, of version 1 or 2.
    """
    figures = [
        _memory_available(proc / "meminfo"),
        *(_left_in_cgroup(folder) for folder in _cgroup_folders(proc, cgroups)),
        _left_in_address_space(proc),
    ]
    known = [figure for figure in figures if figure is not None]
    return max(0, min(known)) if known else None


def _memory_available(meminfo: Path) -> int | None:
    fields = dict(line.partition(":")[::2] for line in _lines(meminfo))
    words = fields.get("MemAvailable", "").split()
    return int(words[0]) * 1024 if words and words[0].isdecimal() else None


def _cgroup_folders(proc: Path, cgroups: Path) -> list[Path]:
    """The folders of this process's memory group and of all groups around it."""
    folders = [cgroups, cgroups / "memory"]
    for line in _lines(proc / "self" / "cgroup"):
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers in {"", "memory"}:
            root = cgroups / controllers if controllers else cgroups
            group = root / path.strip("/")
            folders += [group, *(parent for parent in group.parents if root in parent.parents)]
    return folders


def _left_in_cgroup(folder: Path) -> int | None:
    """Limit less use; what the group uses as a cache of files is given back when asked for."""
    for limit_name, used_name, cache_name in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit, used = _number(folder / limit_name), _number(folder / used_name)
        if limit is None or used is None or limit > _UNLIMITED:
            continue
        statistics = dict(line.partition(" ")[::2] for line in _lines(folder / "memory.stat"))
        return limit - used + int(statistics.get(cache_name, "0"))
    return None


def _left_in_address_space(proc: Path) -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = "".join(_lines(proc / "self" / "statm")).split()
    if limit in {resource.RLIM_INFINITY, -1} or not pages:
        return None
    return limit - int(pages[0]) * resource.getpagesize()


def _number(path: Path) -> int | None:
    text = "".join(_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
