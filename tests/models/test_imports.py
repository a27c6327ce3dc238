"""Store, inference, networks, views and measurements do not depend on training."""

import ast
from pathlib import Path

import pytest

import hounsfield.models

MODELS = Path(hounsfield.models.__file__).parent
FILES = [
    path
    for path in sorted(MODELS.rglob("*.py"))
    if "training" not in path.relative_to(MODELS).parts
]


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(MODELS)))
def test_no_file_outside_training_imports_training(path):
    assert not [name for name in imported_modules(path) if "models.training" in name]
