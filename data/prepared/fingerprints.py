"""What tells that a source is as it was, and that two series are one."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Changes when a file's name, size or time does; nothing is read."""
    facts = ((path.name, path.stat()) for path in paths)
    files = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)
    return hashlib.sha256(repr(files).encode()).hexdigest()


def voxels_sha256(hu: NDArray[np.int16]) -> str:
    """Of native HU and their shape: the same for two copies of a series under other names."""
    digest = hashlib.sha256(str(hu.shape).encode())
    digest.update(np.ascontiguousarray(hu).data)
    return digest.hexdigest()
