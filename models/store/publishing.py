"""Writes a model folder: weights, graph, manifest, model card and the list of training series."""

from __future__ import annotations

import gzip
import hashlib
import os
import platform
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from hounsfield.models.store.folders import GRAPH_FILE
from hounsfield.preprocessing.errors import writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.files.csv_files import write_csv

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from hounsfield.models.store.manifest import Manifest

WEIGHTS_NAME = "weights.safetensors.gz"

SERIES_FILE = "series.csv"
"""The training series, of which the card gives the number only."""

SERIES_COLUMNS = ("training_material", "series_uid")


def half_precision_weights(network: nn.Module) -> bytes:
    """Serialises a network with its kernels in 16 bits.

    Vectors (biases, statistics of normalisation) keep their precision: a variance may exceed the
    range of 16 bits.

    Args:
        network: Trained network on any device; it is not changed.

    Returns:
        The state as safetensors.
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
    """Writes a model folder; the manifest comes last, so that an interrupted folder is no model.

    Args:
        manifest: Description of the model; its file name and checksums are filled in here.
        weights: Safetensors, which are stored gzipped.
        folder: Model folder, created if missing; files of the same names are replaced.
        graph: ONNX graph without weights; None where only torch can run the network.

    Returns:
        The manifest with the checksums of the files.

    Raises:
        OutputError: A file cannot be written.
    """
    packed = gzip.compress(weights, mtime=0)  # the same weights give the same file
    final = manifest.model_copy(
        update={
            "weights": WEIGHTS_NAME,
            "sha256": hashlib.sha256(packed).hexdigest(),
            "graph_sha256": None if graph is None else hashlib.sha256(graph).hexdigest(),
        }
    )
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _write(folder / WEIGHTS_NAME, packed)
    if graph is not None:
        _write(folder / GRAPH_FILE, graph)
    write_card(final, folder)
    _write(folder / "manifest.json", f"{final.model_dump_json(indent=1)}\n".encode())
    return final


def write_card(manifest: Manifest, folder: Path) -> None:
    """Writes ``README.md`` and, where training series are known, `SERIES_FILE` beside it.

    Args:
        manifest: Complete manifest, with the checksums of the files.
        folder: Existing model folder, where both files are replaced.

    Raises:
        OutputError: A file cannot be written.
    """
    _write(folder / "README.md", model_card(manifest).encode())
    rows = [
        (material.name, uid)
        for material in manifest.training_material
        for uid in material.series_uids
    ]
    if not rows:
        (folder / SERIES_FILE).unlink(missing_ok=True)
        return
    write_csv(folder / SERIES_FILE, rows, columns=SERIES_COLUMNS)


def model_card(manifest: Manifest) -> str:
    """Formats the model card, from the manifest alone.

    Args:
        manifest: Complete manifest, with the checksum of the weight file.

    Returns:
        The card as Markdown.
    """
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
            f"- Input: {_spacing(manifest.spacing_mm)} mm, HU {manifest.hu_window[0]:g} to "
            f"{manifest.hu_window[1]:g}"
        ),
        f"- sha256: `{manifest.sha256}`",
    ]
    if trained:
        lines.append(
            f"- Reproduce with: `hounsfield train {trained.config}` (seed {trained.seed}, "
            f"{trained.steps} steps, {trained.hours:.1f} hours on {trained.hardware}; "
            f"configuration {trained.config_sha256[:12]})"
        )
    if trained and (start := trained.fine_tuned_from):
        lines.append(f"- Fine-tuned from: {start.name} {start.version} (sha256 `{start.sha256}`)")
    if manifest.operating_points:
        points = manifest.operating_points
        lines.append(
            f"- Operating points: screening {points.screening:.3f}, default {points.default:.3f}, "
            f"strict {points.strict:.3f}"
        )
    lines += ["", "## Trained on", ""]
    for material in manifest.training_material:
        count = material.patients
        patients = f", {count} patient{'s' if count > 1 else ''}" if count else ""
        lines.append(f"- {material.name} ({material.licence}{patients}): {material.role}")
    if count := len({uid for part in manifest.training_material for uid in part.series_uids}):
        lines += ["", f"{count} real series; their UIDs are in [{SERIES_FILE}]({SERIES_FILE})."]
    lines += ["", "## Limits", "", *(f"- {limit}" for limit in manifest.limits), ""]
    return "\n".join(lines)


def hardware() -> str:
    """Returns the name of the GPU, or else the number of CPU cores, for the training record."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} cores of {platform.machine()}"


def _write(path: Path, content: bytes) -> None:
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def _spacing(spacing_mm: tuple[float, float, float]) -> str:
    """One number for a cubic voxel, else all three."""
    steps = spacing_mm[:1] if len(set(spacing_mm)) == 1 else spacing_mm
    return " x ".join(f"{step:g}" for step in steps)
