"""`hounsfield models import`: the MONAI bundle ``lung_nodule_ct_detection`` as a model of ours."""

from __future__ import annotations

import json
import pickle
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save

from hounsfield.models.networks.onnx_graph import network_graph
from hounsfield.models.networks.retina_net import RetinaConfig, retina_net
from hounsfield.models.store.folders import STORE
from hounsfield.models.store.manifest import (
    Calibration,
    Manifest,
    OperatingPoints,
    TrainingMaterial,
)
from hounsfield.models.store.publishing import publish
from hounsfield.models.training.retinanet.task import RETINA_GRAPH
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor

DEFAULT_NAME = "monai_luna16"

SPACING_MM = (0.703125, 0.703125, 1.25)
HU_WINDOW = (-1024.0, 300.0)

THRESHOLDS = OperatingPoints(screening=0.2, default=0.5, strict=0.8)
"""Plain scores. The bundle publishes no operating points, and none were measured here."""

_NAMED = 3
"""How many entries a message names."""


def import_bundle(source: Path, *, name: str, folder: Path) -> Manifest:
    """Writes the bundle's weights, checked entry by entry, as a model's folder.

    Nothing of the bundle is run: the weights are read as tensors alone (``weights_only``).

    Args:
        source: The bundle's folder, with ``models/model.pt``, or that file.
        name: Of the model that is made.
        folder: Of the model that is made.

    Raises:
        UsageError: `source` is not the bundle, or a model that comes with Hounsfield has the name.
    """
    if (STORE / name).exists():
        msg = f"{name!r} is the name of a model that comes with Hounsfield: give another --name"
        raise UsageError(msg)
    path = source / "models" / "model.pt" if source.is_dir() else source
    weights = _read_weights(path)
    check_weights(weights, path)
    root = source if source.is_dir() else path.parent.parent
    manifest = bundle_manifest(name, bundle_version(root))
    return publish(manifest, save(weights), folder, graph=_graph(weights))


def check_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """Compares the names and shapes of all entries with the bundle's 190.

    Raises:
        UsageError: It names what is missing, what is too much, and what has another shape.
    """
    with torch.device("meta"):
        wanted = retina_net(RetinaConfig()).state_dict()
    missing = [f"{name!r}" for name in wanted if name not in weights]
    extra = [f"{name!r}" for name in weights if name not in wanted]
    reshaped = [
        f"{name!r} ({tuple(weights[name].shape)}, wanted {tuple(value.shape)})"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    faults = [
        f"{len(found)} {what} ({', '.join(found[:_NAMED])}{', ...' if len(found) > _NAMED else ''})"
        for what, found in (
            ("are missing", missing),
            ("are unknown", extra),
            ("have another shape", reshaped),
        )
        if found
    ]
    if faults:
        msg = (
            f"{path} is not the network of lung_nodule_ct_detection: of its {len(wanted)} entries "
            f"{'; '.join(faults)}"
        )
        raise UsageError(msg)


def bundle_version(root: Path) -> str:
    """The version that the bundle's metadata tells; ``unknown`` where there are none."""
    try:
        text = (root / "configs" / "metadata.json").read_text(encoding="utf-8")
        return str(json.loads(text)["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unknown"


def bundle_manifest(name: str, version: str) -> Manifest:
    """What is known of the bundle; the weights' own fields are filled in when it is published."""
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
                role="training and validation, fold 0 of ten left out, as the bundle's page tells",
            ),
        ),
        limits=(
            (
                "Its thresholds are plain scores, not chosen for a rate of false positives, and "
                "its scores are not calibrated."
            ),
            "Figures on LUNA16 or LIDC-IDRI series outside fold 0 are figures on training data.",
            "Nodules of 3 to 30 mm or so, slices to 2.5 mm: LUNA16 holds no others.",
            (
                "Here it sees the box around the lungs in windows, not the whole chest: scores may "
                "differ a little from the bundle's own, since its group normalisation sees less."
            ),
        ),
    )


def _graph(weights: Mapping[str, Tensor]) -> bytes | None:
    """The network for OpenVINO; None where the package that writes it is missing."""
    if find_spec("onnxscript") is None:
        return None
    network = retina_net(RetinaConfig())
    network.load_state_dict(weights)
    return network_graph(network, RETINA_GRAPH)


def _read_weights(path: Path) -> dict[str, Tensor]:
    """The entries of the file; floating ones as float32."""
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}; give the bundle's folder or its model.pt"
        raise UsageError(msg) from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        msg = f"{path} does not hold plain weights of PyTorch: {reason}"
        raise UsageError(msg) from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        content = content["model"]  # as a checkpoint of several parts keeps it
    if not isinstance(content, dict) or not all(torch.is_tensor(v) for v in content.values()):
        msg = f"{path} must hold a network's weights by name, got {type(content).__name__}"
        raise UsageError(msg)
    return {
        str(name): (value.float() if value.is_floating_point() else value).contiguous()
        for name, value in content.items()
    }
