"""Fixtures of the runs."""

import pytest

from tests.pipeline.batch.place import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)
