"""Turns a trained network into an entry of the weight store: weights, manifest, card."""

from __future__ import annotations

import gzip
import hashlib
import os
import platform
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from hounsfield.models.inference.runtimes import GRAPH_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from hounsfield.models.store.manifest import Manifest

WEIGHTS_NAME = "weights.safetensors.gz"


def half_precision_weights(network: nn.Module) -> bytes:
    """The network's state as safetensors, kernels in 16 bits.

    Vectors (biases, statistics of normalisation) stay as they are: a variance may be beyond
    what 16 bits hold.
    """
    return save(
        {
            name: (value.half() if value.ndim > 1 else value).cpu().contiguous()
            for name, value in network.state_dict().items()
        }
    )


def publish(
    manifest: Manifest, weights: bytes, folder: Path, *, graph: bytes | None = None
) -> Manifest:
    """Writes weights, graph where there is one, ``manifest.json`` and the card into `folder`.

    Returns:
        The manifest with the weights' sha256.
    """
    packed = gzip.compress(weights, mtime=0)  # the same weights give the same file
    final = manifest.model_copy(
        update={
            "weights": WEIGHTS_NAME,
            "sha256": hashlib.sha256(packed).hexdigest(),
            "graph_sha256": None if graph is None else hashlib.sha256(graph).hexdigest(),
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_NAME).write_bytes(packed)
    if graph is not None:
        (folder / GRAPH_FILE).write_bytes(graph)
    (folder / "manifest.json").write_text(final.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(final), encoding="utf-8")
    return final


def model_card(manifest: Manifest) -> str:
    """The card that a reader finds beside the weights, made from the manifest alone."""
    trained = manifest.trained_with
    lines = [
        f"# {manifest.name} {manifest.version}",
        "",
        manifest.summary,
        "",
        "**Research use only; not a medical device.**",
        "",
        f"- Task: {manifest.task}; licence of the weights: {manifest.licence}",
        (
            f"- Input: {_by(manifest.spacing_mm)} mm, HU {manifest.hu_window[0]:g} to "
            f"{manifest.hu_window[1]:g}"
        ),
        f"- sha256: `{manifest.sha256}`",
    ]
    if trained:
        lines.append(
            f"- Repeat with: `hounsfield train {trained.config}` (seed {trained.seed}, "
            f"{trained.steps} steps, {trained.hours:.1f} hours on {trained.hardware}; "
            f"configuration {trained.config_sha256[:12]})"
        )
    if trained and (start := trained.started_from):
        lines.append(f"- Began with: {start.name} {start.version} (sha256 `{start.sha256}`)")
    if manifest.operating_points:
        points = manifest.operating_points
        lines.append(
            f"- Operating points: screening {points.screening:.3f}, default {points.default:.3f}, "
            f"strict {points.strict:.3f}"
        )
    lines += ["", "## Trained on", ""]
    for material in manifest.training_material:
        people = f", {material.patients} patients" if material.patients else ""
        lines.append(f"- {material.name} ({material.licence}{people}): {material.role}")
        lines += [f"  - `{uid}`" for uid in material.series_uids]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in manifest.limits), ""]
    return "\n".join(lines)


def _by(spacing_mm: tuple[float, float, float]) -> str:
    """One number where all are the same."""
    different = sorted(set(spacing_mm))
    return " x ".join(f"{mm:g}" for mm in (different if len(different) == 1 else spacing_mm))


def hardware() -> str:
    """The processor this runs on, for the record."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} cores of {platform.machine()}"
