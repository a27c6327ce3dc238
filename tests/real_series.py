"""Real CT series of others, which are not part of the repository."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "shared" / "real"
needs_real_series = pytest.mark.skipif(
    not REAL.is_dir(), reason=f"the real series are not at {REAL}"
)
