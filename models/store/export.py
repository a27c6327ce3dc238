"""`hounsfield models export`: a model as one ONNX file, for other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load

from hounsfield.models.store.folders import read_manifest, verified_graph, verified_weights
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def onnx_model(folder: Path) -> bytes:
    """The network of a model's folder as ONNX with its weights inside, in float32.

    What it takes and gives is told in its metadata: the manifest, word for word.

    Raises:
        UsageError: The model has no graph, its files are not those that were published, or the
            package onnx is missing.
    """
    try:
        from onnx import load_model_from_string, numpy_helper
    except ImportError as error:
        msg = "export needs the package onnx: pip install 'hounsfield[train]'"
        raise UsageError(msg) from error
    manifest, graph_bytes = read_manifest(folder), verified_graph(folder)
    if graph_bytes is None:
        msg = f"{manifest.name} cannot be exported: it has no graph, only weights for torch"
        raise UsageError(msg)
    model = load_model_from_string(graph_bytes)
    weights = load(verified_weights(folder))
    for entry in [entry for entry in model.graph.input if entry.name in weights]:
        model.graph.input.remove(entry)
        values = weights[entry.name].astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, entry.name))
    told = model.metadata_props.add()
    told.key, told.value = "manifest", manifest.model_dump_json()
    content: bytes = model.SerializeToString()
    return content
