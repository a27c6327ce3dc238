"""The weight store: one folder per model with ``manifest.json``, weights, graph and model card."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.models.store.manifest import Manifest
from hounsfield.preprocessing.documents import read_document
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

STORE = Path(__file__).parent.parent / "weights"
"""The models that are shipped with Hounsfield."""

GRAPH_FILE = "graph.onnx"
"""The network as ONNX without weights, for OpenVINO; beside the weights in a model's folder."""

_IMPORT_HINT = "import the MONAI bundle with `hounsfield models import`"


def user_store() -> Path:
    """Returns the folder of the models that the user imported, whether it exists or not.

    It is ``hounsfield/models`` in ``$XDG_DATA_HOME``, by default in ``~/.local/share``.
    """
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "hounsfield" / "models"


def list_models(store: Path = STORE) -> list[Manifest]:
    """Reads the manifest of every model of one store.

    Args:
        store: Folder with one folder per model; it may be missing.

    Returns:
        The manifests, sorted by folder name; an empty list where there are no models.

    Raises:
        UsageError: A manifest is damaged.
    """
    return [read_manifest(folder) for folder in _model_folders(store)]


def installed_models(stores: Sequence[Path] | None = None) -> list[Manifest]:
    """Reads the manifest of every model that can be given by its name.

    Args:
        stores: Folders to search; by default the shipped models, then the user's own.

    Returns:
        The manifests, at least one.

    Raises:
        UsageError: There is no model in any of the stores, or a manifest is damaged.
    """
    return [read_manifest(folder) for folder in installed_folders(stores)]


def installed_folders(stores: Sequence[Path] | None = None) -> list[Path]:
    """Finds the folder of every model that can be given by its name.

    Args:
        stores: Folders to search; by default the shipped models, then the user's own.

    Returns:
        The model folders, at least one, sorted within their store.

    Raises:
        UsageError: There is no model in any of the stores.
    """
    searched = (STORE, user_store()) if stores is None else stores
    folders = [folder for store in searched for folder in _model_folders(store)]
    if not folders:
        msg = (
            f"no models are installed: searched {' and '.join(map(str, searched))}; install "
            f"Hounsfield again with its weights, or {_IMPORT_HINT}"
        )
        raise UsageError(msg)
    return folders


def model_folder(name: str, store: Path = STORE) -> Path:
    """Finds the folder of a model.

    Args:
        name: Name of a model in `store` or in the user's store, or path of a model's folder.
        store: Store that is searched first.

    Returns:
        The folder, which holds a manifest.

    Raises:
        UsageError: There is no such model.
    """
    for folder in (store / name, user_store() / name, Path(name)):
        if (folder / "manifest.json").is_file():
            return folder
    manifests = (*list_models(store), *list_models(user_store()))
    known = ", ".join(manifest.name for manifest in manifests) or "none"
    msg = (
        f"there is no model {name!r}; known: {known}; give one of these names or a folder with a "
        f"manifest.json, or {_IMPORT_HINT}"
    )
    raise UsageError(msg)


def read_manifest(folder: Path) -> Manifest:
    """Reads a model's manifest.

    Args:
        folder: Model folder with a ``manifest.json`` of version 1 or 2.

    Returns:
        The manifest, with the keys of version 2.

    Raises:
        UsageError: The manifest is missing, or a field is missing, unknown or of the wrong type.
    """
    return read_document(folder / "manifest.json", Manifest)


def verified_weights(folder: Path) -> bytes:
    """Reads the weights of a model and compares the file's sha256 with the manifest's.

    Args:
        folder: Model folder with the manifest and the weight file that it names.

    Returns:
        The safetensors, unpacked where the file is gzipped.

    Raises:
        UsageError: The file is missing or does not match the manifest.
    """
    manifest = read_manifest(folder)
    path = folder / manifest.weights
    content = _verified(path, manifest.sha256)
    return gzip.decompress(content) if path.suffix == ".gz" else content


def verified_graph(folder: Path) -> bytes | None:
    """Reads the graph of a model and compares the file's sha256 with the manifest's.

    Args:
        folder: Model folder with the manifest and, unless only torch can run it, `GRAPH_FILE`.

    Returns:
        The graph as ONNX; None where the model has none.

    Raises:
        UsageError: The file is missing or does not match the manifest.
    """
    expected = read_manifest(folder).graph_sha256
    return None if expected is None else _verified(folder / GRAPH_FILE, expected)


def _model_folders(store: Path) -> list[Path]:
    return [path.parent for path in sorted(store.glob("*/manifest.json"))]


def _verified(path: Path, expected_sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"the model file {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected_sha256:
        msg = (
            f"{path} does not match its manifest: its sha256 is {sha256}, expected "
            f"{expected_sha256}; install the model again"
        )
        raise UsageError(msg)
    return content
