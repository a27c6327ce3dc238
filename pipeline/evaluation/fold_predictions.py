"""Predictions of one fold by the model that was not trained on it, tied to that model."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING, Literal

from hounsfield.models.store.folders import read_manifest, verified_weights
from hounsfield.pipeline.batch.csv_tables import LUNA16_COLUMNS
from hounsfield.preprocessing.documents import Strict, read_document
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.files.csv_files import write_csv

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import CaseFacts, PreparedCase
    from hounsfield.models.contracts import Detector
    from hounsfield.models.training.engine.configuration import TrainingConfig

log = logging.getLogger(__name__)

PREDICTIONS_CSV, FOLD_JSON = "predictions.csv", "fold.json"
MAX_CANDIDATES = 100
"""Candidates written for a scan; the LUNA16 protocol drops what is beyond."""

_LOG_INTERVAL_S = 30.0


class FoldRecord(Strict):
    """Content of ``fold.json``, which ties the predictions of a fold to its model and scans.

    Attributes:
        fold: Number of the fold.
        config_sha256: Hash of the training configuration with this fold.
        weights_sha256: Hash of the weight file of the model.
        predictions_sha256: Hash of ``predictions.csv``.
        series_uids: Scans that were predicted, those without candidates included.
        seconds_per_scan: Mean time of the detector.
    """

    version: Literal[2] = 2
    fold: int
    config_sha256: str
    weights_sha256: str
    predictions_sha256: str
    series_uids: tuple[str, ...]
    seconds_per_scan: float


def predict_fold(
    detector: Detector, cases: Sequence[PreparedCase], config: TrainingConfig, folder: Path
) -> FoldRecord:
    """Writes ``predictions.csv`` and, last, ``fold.json`` into the folder of the fold's model.

    Candidates of any score are written, best first, at most `MAX_CANDIDATES` for each scan.

    Args:
        detector: Model that is stored in `folder`.
        cases: Prepared scans of the fold.
        config: Training configuration with this fold held out.
        folder: Existing folder of the fold's model.

    Returns:
        The content of ``fold.json``.

    Raises:
        OutputError: A file cannot be written.
    """
    fold, started = config.data.fold, time.monotonic()
    rows = (
        (case.series_uid, *candidate.centre_world_mm, candidate.score)
        for case in _with_progress(cases, fold)
        for candidate in detector.detect(case.volume)[:MAX_CANDIDATES]
    )
    write_csv(folder / PREDICTIONS_CSV, rows, columns=LUNA16_COLUMNS)
    record = FoldRecord(
        fold=fold,
        config_sha256=config.sha256(),
        weights_sha256=read_manifest(folder).sha256,
        predictions_sha256=_sha256(folder / PREDICTIONS_CSV),
        series_uids=tuple(case.series_uid for case in cases),
        seconds_per_scan=round((time.monotonic() - started) / max(1, len(cases)), 2),
    )
    with atomic_file(folder / FOLD_JSON) as path:
        path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return record


def is_trained(config: TrainingConfig, folder: Path) -> bool:
    """Whether a folder holds the complete model of a fold.

    Args:
        config: Training configuration with this fold held out.
        folder: Folder of the fold; may be missing.

    Raises:
        UsageError: The model is damaged, or was trained with another configuration or fold.
    """
    if not (folder / "manifest.json").exists():
        return False
    verified_weights(folder)
    trained_with = read_manifest(folder).trained_with
    _check_configuration(trained_with.config_sha256 if trained_with else "", config, folder)
    return True


def is_predicted(config: TrainingConfig, folder: Path, scans: Sequence[CaseFacts]) -> bool:
    """Whether a folder holds the predictions of its own model on exactly these scans.

    Args:
        config: Training configuration with this fold held out.
        folder: Folder of the fold; may be missing.
        scans: Scans of the fold.

    Raises:
        UsageError: The predictions were modified, or belong to another configuration, fold, model
            or set of scans.
    """
    path = folder / FOLD_JSON
    has_model = is_trained(config, folder)
    if not path.exists():
        return False
    record = read_document(path, FoldRecord, remedy="delete it to predict again")
    _check_configuration(record.config_sha256, config, folder)
    predictions = folder / PREDICTIONS_CSV
    if not predictions.exists() or _sha256(predictions) != record.predictions_sha256:
        msg = f"{predictions} does not match {path.name}: delete {path} to predict again"
        raise UsageError(msg)
    if not has_model or read_manifest(folder).sha256 != record.weights_sha256:
        msg = f"{predictions} is not by the model in {folder}: delete {path} to predict again"
        raise UsageError(msg)
    if set(record.series_uids) != {scan.series_uid for scan in scans}:
        msg = (
            f"{folder} holds predictions of {len(record.series_uids)} scans, but its fold has "
            f"{len(scans)}, not all the same: the data set was prepared again, so train in another "
            "--out"
        )
        raise UsageError(msg)
    return True


def _check_configuration(config_sha256: str, config: TrainingConfig, folder: Path) -> None:
    if config_sha256 != config.sha256():
        msg = (
            f"{folder} was made with another training configuration or number of steps "
            f"({config_sha256[:12]}, expected {config.sha256()[:12]}): choose another --out"
        )
        raise UsageError(msg)


def _with_progress(cases: Sequence[PreparedCase], fold: int) -> Iterator[PreparedCase]:
    """Yields the cases and logs, at intervals, the time per scan and the time left."""
    started = logged = time.monotonic()
    for done, case in enumerate(cases, start=1):
        yield case
        now = time.monotonic()
        if done in {1, len(cases)} or now - logged > _LOG_INTERVAL_S:
            logged, seconds_per_scan = now, (now - started) / done
            log.info(
                "fold %d: %d of %d scans predicted, %.1f s per scan, %.0f min left",
                fold,
                done,
                len(cases),
                seconds_per_scan,
                seconds_per_scan * (len(cases) - done) / 60,
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
