"""Fixtures and places that many tests share."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "shared" / "real"
"""Real CT series of others, which are not part of the repository."""


@pytest.fixture(scope="session")
def real_folder():
    """The folder of real series; skips, with the reason, where it is missing."""
    if not REAL.is_dir():
        pytest.skip(f"the real series are not at {REAL}")
    return REAL
