"""Cross-validation of a detector: trains folds, predicts them, joins and evaluates the results."""

from __future__ import annotations

import logging
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hounsfield.data.prepared.case import load_facts
from hounsfield.data.prepared.splits import case_files, read_split
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.material import read_cases
from hounsfield.pipeline.evaluation.fold_predictions import (
    PREDICTIONS_CSV,
    is_predicted,
    is_trained,
    predict_fold,
)
from hounsfield.pipeline.evaluation.ground_truth_tables import write_ground_truth_tables
from hounsfield.pipeline.evaluation.luna16.command import luna16_command, luna16_summary
from hounsfield.preprocessing.errors import UsageError, writing_to
from hounsfield.preprocessing.files.atomic_write import atomic_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import CaseFacts
    from hounsfield.models.contracts import Detector
    from hounsfield.models.training.engine.configuration import DataConfig, TrainingConfig
    from hounsfield.models.training.reporting.progress import TrainingProgress
    from hounsfield.pipeline.evaluation.schema import Luna16Evaluation

log = logging.getLogger(__name__)

ALL = "all"
EVALUATION_FOLDER = "evaluation"
DETECTOR_TASKS = ("detector", "retinanet")
"""Tasks whose models predict candidates in whole scans."""


class Train(Protocol):
    """Trains the model of one fold, as `run_training` does."""

    def __call__(
        self,
        config_file: Path,
        out: Path,
        /,
        *,
        fold: int | None,
        steps: int | None,
        progress: TrainingProgress | None,
    ) -> object:
        """Writes the model into `out`."""
        ...


class LoadDetector(Protocol):
    """Loads the model of one fold, as `load_detector` does."""

    def __call__(self, folder: Path, /, *, threads: int) -> Detector:
        """Returns the detector in `folder`."""
        ...


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """Joined predictions of folds and their evaluation.

    Attributes:
        folder: Folder of the joined ``predictions.csv``, its ground truth and the evaluation.
        evaluation: Figures by the LUNA16 protocol; None where the scans have no nodule.
        scans: Number of scans that were predicted.
        folds: Folds that were predicted.
        omitted_folds: Other folds that hold scans.
    """

    folder: Path
    evaluation: Luna16Evaluation | None
    scans: int
    folds: tuple[int, ...]
    omitted_folds: tuple[int, ...]


def cross_validate(
    config_file: Path,
    out: Path,
    folds: Sequence[str],
    *,
    steps: int | None = None,
    progress: TrainingProgress | None = None,
    train: Train | None = None,
    load_detector: LoadDetector | None = None,
) -> CrossValidation | None:
    """Trains a model for each chosen fold, predicts the fold, joins and evaluates the predictions.

    Fold k is kept in ``fold-k``: a finished one is reused, an interrupted one is resumed. The
    predictions of all folds are joined in `out`, those of fewer folds in a subfolder.

    Args:
        config_file: Training configuration of a detector.
        out: Output folder of all folds; it belongs to this configuration alone.
        folds: Numbers of folds, or ``all`` for every fold that holds scans.
        steps: Number of training steps; None takes that of the configuration.
        progress: Progress display of each training; None shows nothing.
        train: Trains one fold; None takes `run_training`.
        load_detector: Loads the model of one fold; None takes that of the inference package.

    Returns:
        The joined predictions; None in a worker process of a distributed training.

    Raises:
        UsageError: The configuration, its data or a fold cannot be used, or `out` holds results of
            another configuration or of other scans.
        OutputError: `out` cannot be written.
    """
    plain = read_training_config(config_file, steps=steps)
    if plain.task not in DETECTOR_TASKS:
        msg = (
            f"--fold evaluates the predictions of a detector, but {config_file} trains a "
            f"{plain.task}: set data.fold in it and train without --fold"
        )
        raise UsageError(msg)
    with_scans = _folds_with_scans(plain)
    chosen = _chosen_folds(folds, with_scans)
    configs = {fold: plain.varied(fold=fold) for fold in chosen}
    scans = {fold: _test_scans(config.data) for fold, config in configs.items()}
    # Every fold is checked before the first one trains, so that errors appear at once.
    pending = [
        fold
        for fold in chosen
        if not is_predicted(configs[fold], out / _fold_folder(fold), scans[fold])
    ]
    log.info("%d of %d folds are done", len(chosen) - len(pending), len(chosen))
    for number, fold in enumerate(pending, start=1):
        started, folder = time.monotonic(), out / _fold_folder(fold)
        if not is_trained(configs[fold], folder):
            log.info("fold %d is held out for testing; training on the others", fold)
            (train or _default_train())(
                config_file, folder, fold=fold, steps=steps, progress=progress
            )
        if _is_main_process():
            _predict(configs[fold], folder, load_detector or _default_load_detector())
        hours = (time.monotonic() - started) / 3600
        left = len(pending) - number
        log.info("fold %d took %.2f h, %d folds left, %.1f h", fold, hours, left, hours * left)
    if not _is_main_process():
        return None
    return _join(out, scans, omitted_folds=tuple(sorted({*with_scans} - {*chosen})))


def cross_validation_summary(result: CrossValidation) -> list[str]:
    """Summarises a cross-validation for the terminal; warns where folds are missing.

    Args:
        result: Cross-validation with or without an evaluation.

    Returns:
        The lines to print.
    """
    folds = ", ".join(map(str, result.folds))
    lines = []
    if result.omitted_folds:
        omitted = ", ".join(map(str, result.omitted_folds))
        lines.append(
            f"ONLY PART OF THE SET: only the {result.scans} scans of folds {folds}. Folds "
            f"{omitted} are omitted; this is not a result on the whole set."
        )
    if result.evaluation is None:
        lines.append("These scans have no known nodule: not evaluated.")
    else:
        lines += luna16_summary(result.evaluation)
    lines.append(
        f"Predictions of {result.scans} scans of folds {folds}: {result.folder / PREDICTIONS_CSV}"
    )
    return lines


def _fold_folder(fold: int) -> str:
    return f"fold-{fold}"


def _folds_with_scans(config: TrainingConfig) -> list[int]:
    """Returns the folds that hold at least one whole series."""
    if not config.data.cases:
        msg = "--fold needs prepared series to predict: name their folders in data.cases"
        raise UsageError(msg)
    splits = [read_split(folder) for folder in config.data.cases]
    return sorted({entry.fold for split in splits for entry in split.series})


def _test_scans(data: DataConfig) -> list[CaseFacts]:
    """Reads the facts of the scans held out for testing, without their arrays."""
    scans = map(load_facts, case_files(data.cases, "test", held=data.fold))
    return [scan for scan in scans if scan.patient_id not in data.held_out_patients]


def _chosen_folds(folds: Sequence[str], with_scans: Sequence[int]) -> list[int]:
    if list(folds) == [ALL]:
        return list(with_scans)
    wrong = [fold for fold in folds if not fold.isdecimal() or int(fold) not in with_scans]
    if wrong:
        known = ", ".join(map(str, with_scans))
        msg = f"--fold must be {ALL}, or a fold that holds series ({known}), got {wrong[0]!r}"
        raise UsageError(msg)
    return sorted({int(fold) for fold in folds})


def _predict(config: TrainingConfig, folder: Path, load_detector: LoadDetector) -> None:
    detector = load_detector(folder, threads=config.optimisation.threads)
    predict_fold(detector, read_cases(config.data, "test"), config, folder)


def _default_train() -> Train:
    from hounsfield.models.training.train import run_training

    return run_training


def _default_load_detector() -> LoadDetector:
    from hounsfield.models.inference.loading import load_detector

    return load_detector


def _is_main_process() -> bool:
    """Whether this process writes files: rank 0 of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def _join(
    out: Path, scans: Mapping[int, Sequence[CaseFacts]], *, omitted_folds: tuple[int, ...]
) -> CrossValidation:
    """Joins the predictions of the folds, writes their ground truth and evaluates them."""
    folds = tuple(scans)
    folder = out / f"folds-{'-'.join(map(str, folds))}" if omitted_folds else out
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / PREDICTIONS_CSV) as path, path.open("wb") as joined:
        for number, fold in enumerate(folds):
            with (out / _fold_folder(fold) / PREDICTIONS_CSV).open("rb") as part:
                header = part.readline()
                if number == 0:
                    joined.write(header)
                shutil.copyfileobj(part, joined)
    predicted = [scan for fold in folds for scan in scans[fold]]
    truth = write_ground_truth_tables(predicted, folder)
    evaluation = None
    if truth.nodules:
        evaluation = luna16_command(
            annotations=truth.annotations,
            excluded=truth.excluded,
            series=truth.series,
            predictions=folder / PREDICTIONS_CSV,
            out=folder / EVALUATION_FOLDER,
        )
    return CrossValidation(folder, evaluation, len(predicted), folds, omitted_folds)
