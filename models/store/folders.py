"""The weight store: one folder per model with ``manifest.json``, weights, graph and model card."""

from __future__ import annotations

import hashlib
import logging
import os
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.models.store.manifest import Manifest
from hounsfield.preprocessing.documents import is_file, read_document
from hounsfield.preprocessing.errors import HounsfieldError, UsageError
from hounsfield.preprocessing.safety_net import INTERRUPTIONS, is_out_of_memory, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

log = logging.getLogger(__name__)

STORE = Path(__file__).parent.parent / "weights"
"""The models that are shipped with Hounsfield."""

GRAPH_FILE = "graph.onnx"
"""The network as ONNX without weights, for OpenVINO; beside the weights in a model's folder."""

MAX_WEIGHTS_BYTES = 2**30
"""Of unpacked weights; the largest known model, the imported RetinaNet, has 84 MB."""

_INSTALL_AGAIN = "install, import or train the model again"

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
        if is_file(folder / "manifest.json"):
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
    remedy = f"to repair it, {_INSTALL_AGAIN}"
    return read_document(folder / "manifest.json", Manifest, remedy=remedy)


def verified_weights(folder: Path) -> bytes:
    """Reads the weights of a model and compares the file's sha256 with the manifest's.

    Args:
        folder: Model folder with the manifest and the weight file that it names.

    Returns:
        The safetensors, unpacked where the file is gzipped.

    Raises:
        UsageError: The file is missing, does not match the manifest, or cannot be unpacked.
    """
    manifest = read_manifest(folder)
    path = folder / manifest.weights
    content = _verified(path, manifest.sha256)
    if path.suffix != ".gz":
        return content
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        weights = unpacker.decompress(content, MAX_WEIGHTS_BYTES)
    except zlib.error as error:
        msg = f"{path} is not gzipped, though its sha256 is right: {_INSTALL_AGAIN}"
        raise UsageError(msg) from error
    if not unpacker.eof:
        fault = "is cut off" if len(weights) < MAX_WEIGHTS_BYTES else "unpacks to over 1 GiB"
        msg = f"{path} {fault}, though its sha256 is right: {_INSTALL_AGAIN}"
        raise UsageError(msg)
    return weights


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


@contextmanager
def using_model(folder: Path) -> Iterator[None]:
    """Turns whatever a library raises for a model's files into one sentence.

    A sha256 that fits says only that the files are those of the manifest, not that weights, graph
    and network settings belong together: each library has its own exceptions for that.

    Args:
        folder: Model folder whose files are used.

    Yields:
        Nothing; the model is built inside the ``with`` block.

    Raises:
        UsageError: The sentence names the folder and says what to do.
    """
    try:
        yield
    except (HounsfieldError, *INTERRUPTIONS):
        raise
    except BaseException as error:  # safetensors is Rust, whose panics are no Exception
        log.debug("the model in %s cannot be used", folder, exc_info=True)
        if is_out_of_memory(error):
            msg = (
                f"the model in {folder} cannot be used: it needs more memory than there is "
                f"({quoted(error)}); close other programs, or use fewer workers"
            )
            raise UsageError(msg) from error
        msg = (
            f"the model in {folder} cannot be used: its weights, graph and manifest do not fit "
            f"together ({quoted(error)}); {_INSTALL_AGAIN}"
        )
        raise UsageError(msg) from error


def _model_folders(store: Path) -> list[Path]:
    return [path.parent for path in sorted(store.glob("*/manifest.json"))]


def _verified(path: Path, expected_sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a zero byte in its name
        cause = getattr(error, "strerror", None) or error
        msg = f"the model file {path} cannot be read: {cause}; {_INSTALL_AGAIN}"
        raise UsageError(msg) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != expected_sha256:
        msg = (
            f"{path} does not match its manifest: its sha256 is {sha256}, expected "
            f"{expected_sha256}; {_INSTALL_AGAIN}"
        )
        raise UsageError(msg)
    return content
