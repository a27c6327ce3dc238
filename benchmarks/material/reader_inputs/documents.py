"""YAML and JSON documents; their readers raise `UsageError`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.material.reader_inputs.reader_input import (
    SERIES_UID,
    ReaderInput,
    text_input,
    write_text,
)
from hounsfield.data.prepared.case import CaseFacts, load_facts
from hounsfield.data.prepared.held_out import read_held_out
from hounsfield.data.prepared.splits import read_split
from hounsfield.data.readers.phantoms import read_phantoms
from hounsfield.models.store.folders import STORE, read_manifest, verified_weights
from hounsfield.models.training.configuration import read_training_config
from hounsfield.pipeline.config import CONFIGS_FOLDER, load_config

if TYPE_CHECKING:
    from pathlib import Path


def write_model(folder: Path) -> Path:
    """Writes the manifest of the shipped segmenter, beside its weights and graph."""
    for source in (STORE / "nodule_segmenter").iterdir():
        if source.name != "manifest.json":
            (folder / source.name).write_bytes(source.read_bytes())
    text = (STORE / "nodule_segmenter" / "manifest.json").read_text(encoding="utf-8")
    return write_text("manifest.json", text, folder)


def _case_document() -> str:
    rows = tuple(map(tuple, np.eye(4).tolist()))
    finding = {"centre_world_mm": (1.0, 2.0, 3.0), "diameter_mm": 5.0, "malignancy": 4.0}
    facts = CaseFacts(
        version=3,
        series_uid=SERIES_UID,
        patient_id="P1",
        synthetic=False,
        affine=rows,
        findings=(finding,),
        origin={"voxels_sha256": "a"},
    )
    return facts.model_dump_json()


def _split_document() -> str:
    entry = {"series_uid": SERIES_UID, "patient_id": "P1", "case": "cases/1", "fold": 0}
    return json.dumps({"dataset": "luna16", "series": [{**entry, "voxels_sha256": "a"}]})


DOCUMENTS = (
    text_input(
        "run_config",
        "run.yaml",
        (CONFIGS_FOLDER / "default.yaml").read_text(encoding="utf-8"),
        lambda path: load_config(str(path)),
    ),
    text_input(
        "training_config",
        "train.yaml",
        (CONFIGS_FOLDER / "train_detector.yaml").read_text(encoding="utf-8"),
        read_training_config,
    ),
    text_input(
        "held_out",
        "held_out.yaml",
        (CONFIGS_FOLDER / "data" / "held_out.yaml").read_text(encoding="utf-8"),
        read_held_out,
    ),
    text_input("phantom_set", "phantoms.yaml", "first: 1\ncount: 2\n", read_phantoms),
    text_input(
        "prepared_case", "case.json", _case_document(), lambda path: load_facts(path.parent)
    ),
    text_input("split", "split.json", _split_document(), lambda path: read_split(path.parent)),
    ReaderInput(
        "manifest",
        write_model,
        lambda path: (read_manifest(path.parent), verified_weights(path.parent)),
    ),
)
