"""Brings real series and phantoms into the prepared form, and keeps them in a cache."""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING

import numpy as np

from data.phantom import PhantomSettings, make_phantom
from data.prepared import KnownFinding, PreparedCase, load_case, save_case
from preprocessing.discovery import discover
from preprocessing.errors import UsageError
from preprocessing.lungs import find_lungs
from preprocessing.reading import read_volume
from preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from preprocessing.volume import Volume

log = logging.getLogger(__name__)


def real_case(
    path: Path, patient_id: str, findings: Sequence[KnownFinding], cache: Path
) -> PreparedCase:
    """Prepares the one readable CT series at a place, or takes it from the cache.

    Raises:
        UsageError: There is not exactly one such series.
    """
    key = hashlib.sha256(f"{path.resolve()} {patient_id} {findings}".encode()).hexdigest()[:16]
    cached = cache / f"series-{key}.npz"
    if not cached.exists():
        usable = [series for series in discover([path]).series if series.rejection is None]
        if len(usable) != 1:
            msg = f"{path} must hold one usable CT series, but holds {len(usable)}"
            raise UsageError(msg)
        log.info("preparing %s", usable[0].facts.series_uid)
        save_case(_prepare(read_volume(usable[0]), patient_id, findings, synthetic=False), cached)
    return load_case(cached)


def phantom_case(seed: int, cache: Path) -> PreparedCase:
    """Prepares the phantom of a seed, with scanner and body drawn from it; or from the cache."""
    cached = cache / f"phantom-{seed}.npz"
    if not cached.exists():
        log.info("making phantom %d", seed)
        phantom = make_phantom(seed, settings=training_settings(seed))
        findings = [
            KnownFinding(nodule.centre_world_mm, nodule.diameter_mm, histology=nodule.histology)
            for nodule in phantom.nodules
        ]
        save_case(_prepare(phantom.volume, f"phantom-{seed}", findings, synthetic=True), cached)
    return load_case(cached)


def training_settings(seed: int) -> PhantomSettings:
    """A grid for a training phantom: coarse pixels, slices of 1.5 to 3 mm, 4 to 12 nodules."""
    rng = np.random.default_rng(seed)
    pixel_mm, slice_mm = float(rng.uniform(1.0, 1.2)), float(rng.choice((1.5, 2.0, 2.5, 3.0)))
    rows = round(400 / pixel_mm)
    return PhantomSettings(
        shape_zyx=(round(330 / slice_mm), rows, rows),
        spacing_mm=(pixel_mm, pixel_mm, slice_mm),
        nodule_count=int(rng.integers(4, 13)),
    )


def _prepare(
    volume: Volume, patient_id: str, findings: Sequence[KnownFinding], *, synthetic: bool
) -> PreparedCase:
    working = to_working_volume(volume, find_lungs(volume))
    return PreparedCase(volume.series.series_uid, patient_id, working, tuple(findings), synthetic)
