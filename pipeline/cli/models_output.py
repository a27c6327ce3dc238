"""The lines that ``hounsfield models`` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.store.folders import (
    installed_folders,
    installed_models,
    model_folder,
    read_manifest,
    user_store,
    verified_graph,
    verified_weights,
)
from hounsfield.preprocessing.errors import UsageError, writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from pathlib import Path


def list_lines() -> list[str]:
    """Return a line for each model: name, version, task, summary.

    Raises:
        UsageError: There is no model at all, or a manifest is damaged.
    """
    return [f"{m.name} {m.version} ({m.task}): {m.summary}" for m in installed_models()]


def manifests_as_json() -> str:
    """Return every manifest, as a JSON list."""
    return "[" + ",\n".join(m.model_dump_json(indent=1) for m in installed_models()) + "]"


def card(name: str) -> str:
    """Read a model's card.

    Args:
        name: Name of a model in the store, or a model's folder.

    Returns:
        The card in Markdown.

    Raises:
        UsageError: There is no such model, or its card cannot be read.
    """
    card = model_folder(name) / "README.md"
    try:
        return card.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        msg = f"{card} cannot be read: {error.strerror}; install or train the model again"
        raise UsageError(msg) from error


def verify_lines() -> list[str]:
    """Return a line for each model whose weights and graph have the hashes of its manifest.

    Raises:
        UsageError: There is no model at all, or a file is missing or has another hash.
    """
    lines = []
    for folder in installed_folders():
        manifest = read_manifest(folder)
        size = len(verified_weights(folder)) + len(verified_graph(folder) or b"")
        lines.append(
            f"{manifest.name} {manifest.version}: {size:,} bytes, SHA-256 as in its manifest"
        )
    return lines


def import_lines(source: Path, *, name: str, out: Path | None) -> list[str]:
    """Import the MONAI bundle.

    Args:
        source: Folder of the bundle, or its ``model.pt``.
        name: Name of the new model in the user's store.
        out: Folder to create; None takes one in the user's store, where the name finds it.

    Returns:
        Lines that tell where the model is and how to run it.

    Raises:
        UsageError: It is not the bundle, or the name is taken.
    """
    from hounsfield.models.store.bundle_import import DEFAULT_NAME, import_bundle

    folder = out or user_store() / name
    with writing_to(folder):
        manifest = import_bundle(source, name=name, folder=folder)
    config = (
        "--config monai_luna16"
        if out is None and name == DEFAULT_NAME
        else f"a --config file that says: models: {{detector: {folder if out else name}}}"
    )
    return [
        f"{manifest.name} {manifest.version} is in {folder}",
        f"use it with: hounsfield run {config}",
        "its thresholds are plain scores: their false-positive rates were not measured",
    ]


def export_model(name: str, out: Path) -> None:
    """Write a model as one ONNX file, atomically.

    Args:
        name: Name of a model in the store, or a model's folder.
        out: File to write; an older one is replaced.

    Raises:
        UsageError: There is no such model, or it cannot be exported.
        OutputError: The file cannot be written.
    """
    from hounsfield.models.store.export import onnx_model

    content = onnx_model(model_folder(name))
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)
