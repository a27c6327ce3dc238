"""The marks of one fold: predicted by the model that never saw it, and tied to that model."""

from __future__ import annotations

import csv
import hashlib
import logging
import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from hounsfield.models.store.folders import read_manifest, verified_weights
from hounsfield.pipeline.batch.csv_tables import LUNA16_COLUMNS
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import CaseFacts, PreparedCase
    from hounsfield.models.contracts import Detector
    from hounsfield.models.training.engine.configuration import TrainingConfig

log = logging.getLogger(__name__)

PREDICTIONS_CSV, FOLD_JSON = "predictions.csv", "fold.json"
MAX_MARKS = 100
"""Of a scan; the LUNA16 protocol reads no more."""

_SECONDS_A_LINE = 30.0


class FoldRecord(BaseModel):
    """What ties a fold's marks to its model and its scans: the content of ``fold.json``.

    Attributes:
        config_sha256: Of the recipe with this fold.
        weights_sha256: Of the model's weight file.
        predictions_sha256: Of ``predictions.csv``.
        series_uids: The scans that were predicted, those without a mark among them.
        seconds_a_scan: Mean time of the detector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    fold: int
    config_sha256: str
    weights_sha256: str
    predictions_sha256: str
    series_uids: tuple[str, ...]
    seconds_a_scan: float


def predict_fold(
    detector: Detector, cases: Sequence[PreparedCase], config: TrainingConfig, folder: Path
) -> FoldRecord:
    """Writes ``predictions.csv`` and, last, ``fold.json`` into the folder of the fold's model.

    Every candidate is written however low its score, best first, at most `MAX_MARKS` a scan.

    Args:
        detector: The model in `folder`.
        cases: The scans of the fold.
        config: The fold's recipe.
        folder: Of the fold.

    Raises:
        OutputError: They cannot be written.
    """
    fold, started = config.data.fold, time.monotonic()
    with (
        atomic_file(folder / PREDICTIONS_CSV) as path,
        path.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(LUNA16_COLUMNS)
        for case in _told(cases, fold):
            for mark in detector.detect(case.volume)[:MAX_MARKS]:
                writer.writerow((case.series_uid, *mark.centre_world_mm, mark.score))
    record = FoldRecord(
        fold=fold,
        config_sha256=config.sha256(),
        weights_sha256=read_manifest(folder).sha256,
        predictions_sha256=_sha256(folder / PREDICTIONS_CSV),
        series_uids=tuple(case.series_uid for case in cases),
        seconds_a_scan=round((time.monotonic() - started) / max(1, len(cases)), 2),
    )
    with atomic_file(folder / FOLD_JSON) as path:
        path.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return record


def is_trained(config: TrainingConfig, folder: Path) -> bool:
    """Whether the folder holds the whole model of a fold's recipe.

    Raises:
        UsageError: It holds a model of another recipe or fold, or a damaged one.
    """
    if not (folder / "manifest.json").exists():
        return False
    verified_weights(folder)
    trained_with = read_manifest(folder).trained_with
    _refuse_another(trained_with.config_sha256 if trained_with else "", config, folder)
    return True


def is_predicted(config: TrainingConfig, folder: Path, scans: Sequence[CaseFacts]) -> bool:
    """Whether the folder holds the marks of its own model on just these scans.

    Raises:
        UsageError: It holds marks of another recipe, fold or model, or on other scans, or marks
            that were changed.
    """
    path = folder / FOLD_JSON
    trained = is_trained(config, folder)
    if not path.exists():
        return False
    try:
        record = FoldRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        msg = f"{path} cannot be read: {error.errors()[0]['msg']}; delete it to predict again"
        raise UsageError(msg) from error
    _refuse_another(record.config_sha256, config, folder)
    predictions = folder / PREDICTIONS_CSV
    if not predictions.exists() or _sha256(predictions) != record.predictions_sha256:
        msg = f"{predictions} is not what {path.name} speaks of: delete {path} to predict again"
        raise UsageError(msg)
    if not trained or read_manifest(folder).sha256 != record.weights_sha256:
        msg = f"the marks of {folder} are not of the model in it: delete {path} to predict again"
        raise UsageError(msg)
    if set(record.series_uids) != {scan.series_uid for scan in scans}:
        msg = (
            f"{folder} holds marks on {len(record.series_uids)} scans, but its fold has "
            f"{len(scans)}, not all the same: the data set was prepared anew, so train in another "
            "--out"
        )
        raise UsageError(msg)
    return True


def _refuse_another(config_sha256: str, config: TrainingConfig, folder: Path) -> None:
    if config_sha256 != config.sha256():
        msg = (
            f"{folder} was made by another recipe or number of steps (configuration "
            f"{config_sha256[:12]}, wanted {config.sha256()[:12]}): choose another --out"
        )
        raise UsageError(msg)


def _told(cases: Sequence[PreparedCase], fold: int) -> Iterator[PreparedCase]:
    """Tells now and then what a scan costs and how long it will take."""
    started = told = time.monotonic()
    for done, case in enumerate(cases, start=1):
        yield case
        now = time.monotonic()
        if done in {1, len(cases)} or now - told > _SECONDS_A_LINE:
            told, cost = now, (now - started) / done
            log.info(
                "fold %d: %d of %d scans predicted, %.1f s a scan, %.0f min left",
                fold,
                done,
                len(cases),
                cost,
                cost * (len(cases) - done) / 60,
            )


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
