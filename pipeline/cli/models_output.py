"""What `hounsfield models` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.models.store.folders import (
    STORE,
    list_models,
    model_folder,
    user_store,
    verified_weights,
)
from hounsfield.pipeline.batch.output_folder import atomic_file
from hounsfield.pipeline.errors import writing_to

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.models.store.manifest import Manifest


def list_lines() -> list[str]:
    """A line for each model: name, version, task, summary."""
    return [f"{m.name} {m.version} ({m.task}): {m.summary}" for m in _all_models()]


def manifests_as_json() -> str:
    """Every manifest, as a JSON list."""
    return "[" + ",\n".join(m.model_dump_json(indent=1) for m in _all_models()) + "]"


def card(name: str) -> str:
    """The model card.

    Raises:
        UsageError: There is no such model.
    """
    return (model_folder(name) / "README.md").read_text(encoding="utf-8")


def verify_lines() -> list[str]:
    """A line for each model whose weights are what its manifest says.

    Raises:
        UsageError: One is not.
    """
    lines = []
    for store in (STORE, user_store()):
        for manifest in list_models(store):
            size = len(verified_weights(store / manifest.name))
            lines.append(f"{manifest.name} {manifest.version}: {size:,} bytes, as its manifest")
    return lines


def import_lines(source: Path, *, name: str, out: Path | None) -> list[str]:
    """Brings the MONAI bundle in; says where it is and how it is run.

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
        f"hounsfield run takes it by {config}",
        "its thresholds are plain scores: no rate of false positives was measured for them",
    ]


def export_model(name: str, out: Path) -> None:
    """Writes a model as one ONNX file, whole or not at all.

    Raises:
        UsageError: There is no such model, or it cannot be exported.
        OutputError: The file cannot be written.
    """
    from hounsfield.models.store.export import onnx_model

    content = onnx_model(model_folder(name))
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)


def _all_models() -> list[Manifest]:
    """Those that come with Hounsfield, then the user's."""
    return [*list_models(), *list_models(user_store())]
