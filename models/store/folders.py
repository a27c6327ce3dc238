"""The weight store: one folder a model with ``manifest.json``, its weights and its card."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path

from pydantic import ValidationError

from hounsfield.models.inference.runtimes import GRAPH_FILE
from hounsfield.models.store.manifest import Manifest
from hounsfield.preprocessing.errors import UsageError

STORE = Path(__file__).parent.parent / "weights"
"""The models that come with Hounsfield."""


def user_store() -> Path:
    """Where models lie that a user imported: ``hounsfield/models`` in the user's data folder.

    That folder is ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "hounsfield" / "models"


def list_models(store: Path = STORE) -> list[Manifest]:
    """Every model of a store, by name."""
    return [read_manifest(path.parent) for path in sorted(store.glob("*/manifest.json"))]


def model_folder(name: str, store: Path = STORE) -> Path:
    """The folder of a model given by its name in a store, or by the path of its own folder.

    The store is looked at first, then the user's own.

    Raises:
        UsageError: There is no such model.
    """
    for folder in (store / name, user_store() / name, Path(name)):
        if (folder / "manifest.json").is_file():
            return folder
    manifests = (*list_models(store), *list_models(user_store()))
    known = ", ".join(manifest.name for manifest in manifests) or "none"
    msg = (
        f"there is no model {name!r}; known: {known}; give one of these or a folder with a "
        "manifest.json, or bring the MONAI bundle in with `hounsfield models import`"
    )
    raise UsageError(msg)


def read_manifest(folder: Path) -> Manifest:
    """Reads a model's manifest.

    Raises:
        UsageError: It is missing, or not of the form.
    """
    path = folder / "manifest.json"
    try:
        return Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"the manifest {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    except ValidationError as error:
        first = error.errors()[0]
        msg = f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise UsageError(msg) from error


def verified_weights(folder: Path) -> bytes:
    """The safetensors of a model, after comparing the file's sha256 with the manifest's.

    Raises:
        UsageError: The file is missing or is not the one the manifest speaks of.
    """
    manifest = read_manifest(folder)
    path = folder / manifest.weights
    content = _verified(path, manifest.sha256)
    return gzip.decompress(content) if path.suffix == ".gz" else content


def verified_graph(folder: Path) -> bytes | None:
    """The graph of a model, compared as its weights are; None where it has none.

    Raises:
        UsageError: As `verified_weights`.
    """
    wanted = read_manifest(folder).graph_sha256
    return None if wanted is None else _verified(folder / GRAPH_FILE, wanted)


def _verified(path: Path, wanted: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"the model file {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        msg = (
            f"{path} is not the file its manifest speaks of: sha256 {found}, "
            f"wanted {wanted}; install the model again"
        )
        raise UsageError(msg)
    return content
