"""`hounsfield models export`: a model as one ONNX file for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load

from hounsfield.models.store.folders import (
    read_manifest,
    using_model,
    verified_graph,
    verified_weights,
)
from hounsfield.preprocessing.errors import INSTALL_TRAIN, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def onnx_model(folder: Path) -> bytes:
    """Joins the graph and the weights of a model into one ONNX file with float32 weights.

    The manifest is included as metadata under the key ``manifest``.

    Args:
        folder: Model folder with manifest, weights and graph.

    Returns:
        The content of the ONNX file.

    Raises:
        UsageError: The model has no graph, its files do not match the manifest or one another, or
            the package onnx is not installed.
    """
    try:
        from onnx import load_model_from_string, numpy_helper
    except ImportError as error:
        msg = f"export needs onnx, which is not installed: {INSTALL_TRAIN}"
        raise UsageError(msg) from error
    manifest, graph = read_manifest(folder), verified_graph(folder)
    if graph is None:
        msg = f"{manifest.name} cannot be exported: it has no graph, only weights for torch"
        raise UsageError(msg)
    with using_model(folder):
        model = load_model_from_string(graph)
        weights = load(verified_weights(folder))
        for entry in [entry for entry in model.graph.input if entry.name in weights]:
            model.graph.input.remove(entry)
            values = weights[entry.name].astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, entry.name))
        metadata = model.metadata_props.add()
        metadata.key, metadata.value = "manifest", manifest.model_dump_json()
        content: bytes = model.SerializeToString()
        return content
