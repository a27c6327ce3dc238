"""Weights whose checksum is made to fit; their reader raises `UsageError`."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING

from benchmarks.material.reader_inputs.reader_input import ReaderInput, write_text
from hounsfield.models.inference.loading import load_segmenter
from hounsfield.models.store.folders import STORE

if TYPE_CHECKING:
    from pathlib import Path


def write_weights(folder: Path) -> Path:
    """Writes the shipped segmenter's weights without gzip, for `read_any_weights`."""
    packed = (STORE / "nodule_segmenter" / "weights.safetensors.gz").read_bytes()
    path = folder / "weights.safetensors"
    path.write_bytes(gzip.decompress(packed))
    return path


def read_any_weights(path: Path) -> object:
    """Loads weights into the shipped segmenter after making their checksum fit."""
    facts = json.loads((STORE / "nodule_segmenter" / "manifest.json").read_text(encoding="utf-8"))
    facts |= {"weights": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    write_text("manifest.json", json.dumps(facts), path.parent)
    graph = (STORE / "nodule_segmenter" / "graph.onnx").read_bytes()
    (path.parent / "graph.onnx").write_bytes(graph)
    return load_segmenter(path.parent, threads=1, runtime="openvino")


WEIGHTS = (ReaderInput("weights", write_weights, read_any_weights),)
