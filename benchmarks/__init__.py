"""What is measured: speed against peers, and what the shipped models find. See `__main__`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.loading import Models


def shipped_models(*, threads: int) -> Models:
    """Detector, reducer and classifier of the default configuration."""
    from models.loading import load_models
    from pipeline.config import load_config

    chosen = load_config().models
    return load_models(
        detector=chosen.detector,
        classifier=chosen.classifier,
        reducer=chosen.reducer,
        threads=threads,
    )
