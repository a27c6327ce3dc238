"""What it takes to make the same report again: version, weights, configuration."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from hounsfield.models.inference.loading import require_own_detector
from hounsfield.models.store.folders import model_folder, read_manifest
from hounsfield.pipeline.report.schema import ModelDocument, ProvenanceDocument
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from hounsfield.models.store.manifest import Manifest
    from hounsfield.pipeline.config import RunConfig


def read_provenance(config: RunConfig, *, clinical_sha256: str | None = None) -> ProvenanceDocument:
    """Reads the manifests of a run's models, not their weights.

    Args:
        config: Of the run.
        clinical_sha256: Of its clinical data, where there are any.

    Raises:
        UsageError: A model is not known, is of the wrong kind, or does not belong to the others.
    """
    manifests = {"detector": _manifest(config.models.detector, "detector")}
    scores = detector = manifests["detector"]
    if config.models.reducer is not None:
        scores = manifests["reducer"] = _manifest(config.models.reducer, "reducer")
        require_own_detector(scores, detector)
    if config.models.segmenter is not None:
        manifests["segmenter"] = _manifest(config.models.segmenter, "segmenter")
    if config.models.rater is not None:
        if config.models.segmenter is None:
            msg = "models.rater needs models.segmenter, got null: set both or neither"
            raise UsageError(msg)
        manifests["rater"] = _manifest(config.models.rater, "rater")
    manifests["classifier"] = _manifest(config.models.classifier, "classifier")
    if scores.operating_points is None:
        msg = f"the {scores.task} {scores.name} has no operating points; choose another"
        raise UsageError(msg)
    models = tuple(_model(role, manifest) for role, manifest in manifests.items())
    hounsfield_version = version("hounsfield")
    config_sha256 = config.sha256()
    parts = [hounsfield_version, config_sha256, *(model.sha256 for model in models)]
    parts += [clinical_sha256] if clinical_sha256 else []
    return ProvenanceDocument(
        hounsfield_version=hounsfield_version,
        models=models,
        config_sha256=config_sha256,
        operating_point=config.detection.operating_point,
        score_threshold=getattr(scores.operating_points, config.detection.operating_point),
        detector_spacing_mm=detector.spacing_mm,
        clinical_sha256=clinical_sha256,
        fingerprint=hashlib.sha256(" ".join(parts).encode()).hexdigest(),
    )


def _manifest(name: str, task: str) -> Manifest:
    manifest = read_manifest(model_folder(name))
    if manifest.task != task:
        msg = f"the configuration wants a {task}, but {manifest.name} is a {manifest.task}"
        raise UsageError(msg)
    return manifest


def _model(role: str, manifest: Manifest) -> ModelDocument:
    return ModelDocument.model_validate(
        {
            "role": role,
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
        }
    )
