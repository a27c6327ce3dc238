"""Writes the JSON schema of every document that leaves the program: ``make schemas``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.data.phantom.writing import PhantomTruth
from hounsfield.models.store.manifest import Manifest
from hounsfield.pipeline.batch.run_document import RunDocument
from hounsfield.pipeline.batch.status import Status
from hounsfield.pipeline.evaluation.schema import ClassificationEvaluation, Luna16Evaluation
from hounsfield.pipeline.inspection import InspectionRow
from hounsfield.pipeline.report.schema import Report

if TYPE_CHECKING:
    from pydantic import BaseModel

DOCUMENTS: dict[str, type[BaseModel]] = {
    "classification-evaluation-1": ClassificationEvaluation,
    "inspection-1": InspectionRow,
    "luna16-evaluation-2": Luna16Evaluation,
    "manifest-2": Manifest,
    "phantom-truth-1": PhantomTruth,
    "report-2": Report,
    "run-1": RunDocument,
    "status-1": Status,
}
"""Documents by the name and version of their schema in docs/schemas."""


def write_schemas(folder: Path) -> list[Path]:
    """Write one schema file for each document.

    Args:
        folder: Folder to write into, created if missing.

    Returns:
        The paths of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, document in DOCUMENTS.items():
        path = folder / f"{name}.json"
        schema = document.model_json_schema(mode="serialization")
        path.write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
