"""What `hounsfield models` prints."""

from __future__ import annotations

from models.store import STORE, list_models, model_folder, verified_weights


def list_lines() -> list[str]:
    """A line for each model: name, version, task, summary."""
    return [f"{m.name} {m.version} ({m.task}): {m.summary}" for m in list_models()]


def manifests_as_json() -> str:
    """Every manifest, as a JSON list."""
    return "[" + ",\n".join(m.model_dump_json(indent=1) for m in list_models()) + "]"


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
    for manifest in list_models():
        content = verified_weights(STORE / manifest.name)
        lines.append(f"{manifest.name} {manifest.version}: {len(content):,} bytes, as its manifest")
    return lines
