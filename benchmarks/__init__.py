"""Benchmarks: speed compared with other software, and accuracy of the shipped models."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.models.inference.loading import Models


def shipped_models(*, threads: int) -> Models:
    """Loads detector, reducer and classifier of the default configuration.

    Args:
        threads: Maximum number of CPU threads per inference.

    Returns:
        The models without segmenter and rater.
    """
    from hounsfield.models.inference.loading import load_models
    from hounsfield.pipeline.config import load_config

    chosen = load_config().models
    return load_models(
        detector=chosen.detector,
        classifier=chosen.classifier,
        reducer=chosen.reducer,
        threads=threads,
    )
