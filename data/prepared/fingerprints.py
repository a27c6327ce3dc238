"""Hashes that tell whether sources are unchanged, and whether two series are the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Hashes names, sizes and modification times of files; their content is not read.

    Args:
        paths: Existing files, in any order; only the last part of each path counts.

    Returns:
        SHA-256 in hexadecimal.
    """
    facts = ((path.name, path.stat()) for path in paths)
    files = sorted((name, stat.st_size, stat.st_mtime_ns) for name, stat in facts)
    return hashlib.sha256(repr(files).encode()).hexdigest()


def findings_sha256(findings: Iterable[KnownFinding]) -> str:
    """Hashes findings; what a finding does not say, and so later attributes, does not count.

    Args:
        findings: Annotated findings; their order counts.

    Returns:
        SHA-256 in hexadecimal.
    """
    documents = [
        {f.name: value for f in fields(finding) if (value := getattr(finding, f.name)) != f.default}
        for finding in findings
    ]
    return hashlib.sha256(json.dumps(documents, default=asdict).encode()).hexdigest()


def voxels_sha256(hu: NDArray[np.int16]) -> str:
    """Hashes native HU and their shape: the same for two copies of a series under other names.

    Args:
        hu: int16, ``[z, y, x]``, as read from the files.

    Returns:
        SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(str(hu.shape).encode())
    digest.update(np.ascontiguousarray(hu).data)
    return digest.hexdigest()
