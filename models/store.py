"""The weight store: one folder a model with ``manifest.json``, its weights and its card."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from models.manifest import Manifest
from preprocessing.errors import UsageError

if TYPE_CHECKING:
    from models.contracts import Classifier, Detector

STORE = Path(__file__).parent / "weights"
"""The models that come with Hounsfield."""


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a run, with the manifests that say what they are."""

    detector: Detector
    detector_manifest: Manifest
    classifier: Classifier
    classifier_manifest: Manifest


def list_models(store: Path = STORE) -> list[Manifest]:
    """Every model of a store, by name."""
    return [read_manifest(path.parent) for path in sorted(store.glob("*/manifest.json"))]


def model_folder(name: str, store: Path = STORE) -> Path:
    """The folder of a model given by its name in the store, or by the path of its own folder.

    Raises:
        UsageError: There is no such model.
    """
    for folder in (store / name, Path(name)):
        if (folder / "manifest.json").is_file():
            return folder
    known = ", ".join(manifest.name for manifest in list_models(store)) or "none"
    msg = f"there is no model {name!r}; known: {known}; or give a folder with a manifest.json"
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
    try:
        content = path.read_bytes()
    except OSError as error:
        msg = f"the weights {path} cannot be read: {error.strerror}"
        raise UsageError(msg) from error
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        msg = (
            f"{path} is not the file its manifest speaks of: sha256 {found}, "
            f"wanted {manifest.sha256}; install the model again"
        )
        raise UsageError(msg)
    return gzip.decompress(content) if path.suffix == ".gz" else content


def load_models(*, detector: str, classifier: str, threads: int) -> Models:
    """Loads the networks of a run; torch is imported here and not before.

    Args:
        detector: Name in the store, or folder, of the detector.
        classifier: The same of the classifier.
        threads: Processor threads that a network may use.
    """
    from models.detector import HeatmapDetector
    from models.nodule_classifier import NoduleClassifier

    detector_folder, classifier_folder = model_folder(detector), model_folder(classifier)
    detector_manifest = _of_task(detector_folder, "detector")
    classifier_manifest = _of_task(classifier_folder, "classifier")
    return Models(
        HeatmapDetector(detector_manifest, verified_weights(detector_folder), threads=threads),
        detector_manifest,
        NoduleClassifier(classifier_manifest, verified_weights(classifier_folder), threads=threads),
        classifier_manifest,
    )


def _of_task(folder: Path, task: str) -> Manifest:
    manifest = read_manifest(folder)
    if manifest.task != task:
        msg = f"{manifest.name} is a {manifest.task}, but a {task} was wanted"
        raise UsageError(msg)
    return manifest
