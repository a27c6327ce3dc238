"""`hounsfield models import`: adds the MONAI bundle ``lung_nodule_ct_detection`` to the store."""

from __future__ import annotations

import json
import logging
import pickle
from importlib.util import find_spec
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save

from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.networks.retina_net import RETINA_GRAPH, RetinaConfig, retina_net
from hounsfield.models.store.folders import STORE
from hounsfield.models.store.manifest import (
    Calibration,
    Manifest,
    OperatingPoints,
    TrainingMaterial,
)
from hounsfield.models.store.publishing import publish
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

log = logging.getLogger(__name__)

DEFAULT_NAME = "monai_luna16"

SPACING_MM = (0.703125, 0.703125, 1.25)
HU_WINDOW = (-1024.0, 300.0)

THRESHOLDS = OperatingPoints(screening=0.2, default=0.5, strict=0.8)
"""Uncalibrated scores. The bundle publishes no operating points, and none were measured here."""

MAX_VERSION_CHARACTERS = 40

MAX_NAMED_ENTRIES = 3
"""How many entries of a kind an error message names."""


def import_bundle(source: Path, *, name: str, folder: Path) -> Manifest:
    """Writes the bundle's weights as a model folder, after checking every entry.

    No code of the bundle is run: the weights are read as plain tensors (``weights_only``).

    Args:
        source: Folder of the bundle, with ``models/model.pt``, or the path of that file.
        name: Name of the new model; no shipped model may have it.
        folder: Model folder to write, created if missing.

    Returns:
        The manifest of the new model.

    Raises:
        UsageError: `source` is not the bundle, or a shipped model has the name.
        OutputError: `folder` cannot be written.
    """
    if (STORE / name).exists():
        msg = f"{name!r} is the name of a model that comes with Hounsfield: give another --name"
        raise UsageError(msg)
    path = source / "models" / "model.pt" if source.is_dir() else source
    weights = _read_weights(path)
    check_weights(weights, path)
    root = source if source.is_dir() else path.parent.parent
    manifest = bundle_manifest(name, bundle_version(root))
    return publish(manifest, save(weights), folder, graph=export_graph(weights))


def check_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Compares the names and shapes of all entries with those of the bundle's network.

    Args:
        weights: Entries of the weight file, by name.
        path: The weight file, for the message.

    Raises:
        UsageError: Entries are missing, unknown, or have another shape; the message names them.
    """
    with torch.device("meta"):
        expected = retina_net(RetinaConfig()).state_dict()
    missing = [f"{name!r}" for name in expected if name not in weights]
    unknown = [f"{name!r}" for name in weights if name not in expected]
    reshaped = [
        f"{name!r} ({tuple(weights[name].shape)}, expected {tuple(value.shape)})"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    faults = [
        f"{len(entries)} {fault} ({_first_of(entries)})"
        for fault, entries in (
            ("missing", missing),
            ("unknown", unknown),
            ("of another shape", reshaped),
        )
        if entries
    ]
    if faults:
        msg = (
            f"{path} does not hold the network of lung_nodule_ct_detection, which has "
            f"{len(expected)} entries: {'; '.join(faults)}"
        )
        raise UsageError(msg)


def bundle_version(root: Path) -> str:
    """Reads the version of the bundle from its metadata.

    Args:
        root: Folder of the bundle, with ``configs/metadata.json``.

    Returns:
        The version; ``unknown`` where the metadata are missing or damaged.
    """
    try:
        text = (root / "configs" / "metadata.json").read_text(encoding="utf-8")
        version = json.loads(text)["version"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
    is_plain = isinstance(version, str) and 0 < len(version) <= MAX_VERSION_CHARACTERS
    return version if is_plain and version.isprintable() else "unknown"


def bundle_manifest(name: str, version: str) -> Manifest:
    """Describes the bundle; the fields about the weight file are filled in by `publish`.

    Args:
        name: Name of the new model in the store.
        version: Version of the bundle, which becomes the model's.

    Returns:
        The manifest without file name and checksums.
    """
    return Manifest(
        name=name,
        version=version,
        task="detector",
        summary="The RetinaNet of the MONAI bundle lung_nodule_ct_detection, imported: boxes of "
        "lung nodules, trained by the MONAI Consortium on LUNA16.",
        licence="Apache-2.0, MONAI Consortium",
        architecture="retina_net",
        network=RetinaConfig().as_settings(),
        weights="",
        sha256="",
        spacing_mm=SPACING_MM,
        hu_window=HU_WINDOW,
        calibration=Calibration(),
        operating_points=THRESHOLDS,
        training_material=(
            TrainingMaterial(
                name="LUNA16, of LIDC-IDRI",
                licence="CC BY 3.0, Armato et al. 2011 and 2015, The Cancer Imaging Archive",
                role="training and validation, without fold 0 of ten, according to the bundle's "
                "page",
            ),
        ),
        limits=(
            (
                "Its thresholds are plain scores, not chosen for a rate of false positives, and "
                "its scores are not calibrated."
            ),
            "Results on LUNA16 or LIDC-IDRI series outside fold 0 are results on training data.",
            "Nodules of about 3 to 30 mm and slices up to 2.5 mm only, as in LUNA16.",
            (
                "Here it processes the box around the lungs in windows, not the whole chest: "
                "scores may differ slightly from the bundle's own, because group normalisation "
                "covers less of the image."
            ),
        ),
    )


def export_graph(weights: Mapping[str, Tensor]) -> bytes | None:
    """Exports the bundle's network for OpenVINO.

    Args:
        weights: Entries of the weight file, checked.

    Returns:
        The ONNX graph; None where the package onnxscript is not installed.
    """
    if find_spec("onnxscript") is None:
        return None
    network = retina_net(RetinaConfig())
    network.load_state_dict(weights)
    return network_graph(network, RETINA_GRAPH)


def _first_of(entries: list[str]) -> str:
    more = ", ..." if len(entries) > MAX_NAMED_ENTRIES else ""
    return ", ".join(entries[:MAX_NAMED_ENTRIES]) + more


def _read_weights(path: Path) -> dict[str, Tensor]:
    """Reads the entries of the file; floating-point ones become float32."""
    try:
        return _plain_tensors(path, torch.load(path, map_location="cpu", weights_only=True))
    except (UsageError, MemoryError):
        raise
    except OSError as error:
        cause = error.strerror or error
        msg = f"{path} cannot be read: {cause}; give the bundle's folder or its model.pt"
        raise UsageError(msg) from error
    except pickle.UnpicklingError as error:
        # torch's own sentence advises to run the code in the file; it is not passed on.
        msg = (
            f"{path} does not contain plain PyTorch weights: it is damaged or holds Python "
            "objects, whose code is never run; download the bundle's model.pt again"
        )
        raise UsageError(msg) from error
    except Exception as error:
        log.debug("%s cannot be read", path, exc_info=True)
        msg = (
            f"{path} does not contain plain PyTorch weights ({type(error).__name__}); download the "
            "bundle's model.pt again"
        )
        raise UsageError(msg) from error


def _plain_tensors(path: Path, content: object) -> dict[str, Tensor]:
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]  # a checkpoint of several parts
    if not isinstance(content, dict) or not all(torch.is_tensor(v) for v in content.values()):
        msg = f"{path} must contain a network's weights by name, got {type(content).__name__}"
        raise UsageError(msg)
    return {
        str(name): (value.float() if value.is_floating_point() else value).contiguous()
        for name, value in content.items()
    }
