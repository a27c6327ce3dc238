"""Provenance of a report: the version, weights and configuration that make it again."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from typing import TYPE_CHECKING

from hounsfield.models.store.model_set import find_models
from hounsfield.pipeline.report.schema import ModelDocument, ProvenanceDocument

if TYPE_CHECKING:
    from hounsfield.models.store.model_set import ModelSet
    from hounsfield.pipeline.config import ModelsConfig, RunConfig


def find_configured_models(config: ModelsConfig) -> ModelSet:
    """Find the models that a configuration names.

    Args:
        config: The section ``models`` of a run's configuration.

    Returns:
        The models with their manifests; no weights are read.

    Raises:
        UsageError: A model is not known, is of another task, or does not belong to the others.
    """
    return find_models(
        detector=config.detector,
        classifier=config.classifier,
        reducer=config.reducer,
        segmenter=config.segmenter,
        rater=config.rater,
    )


def provenance_of(
    models: ModelSet, config: RunConfig, *, clinical_sha256: str | None = None
) -> ProvenanceDocument:
    """Write down what a run uses.

    Args:
        models: The run's models with their manifests.
        config: Configuration of the run, hashed but for its section ``run``.
        clinical_sha256: Hash of the table of ``--clinical``; None where there is none.

    Returns:
        The record, with a fingerprint that changes when any result could.
    """
    hounsfield_version = version("hounsfield")
    config_sha256 = config.sha256()
    documents = tuple(
        ModelDocument(
            role=role, name=manifest.name, version=manifest.version, sha256=manifest.sha256
        )
        for role, manifest in models.manifests.items()
    )
    parts = [hounsfield_version, config_sha256]
    for manifest in models.manifests.values():
        parts += [manifest.sha256, manifest.graph_sha256 or ""]
    parts += [clinical_sha256] if clinical_sha256 else []
    return ProvenanceDocument(
        hounsfield_version=hounsfield_version,
        models=documents,
        config_sha256=config_sha256,
        operating_point=config.detection.operating_point,
        score_threshold=models.score_threshold(config.detection.operating_point),
        detector_spacing_mm=models.detector_spacing_mm,
        clinical_sha256=clinical_sha256,
        fingerprint=hashlib.sha256(" ".join(parts).encode()).hexdigest(),
    )
