"""`hounsfield train CONFIG --fold ...`: folds trained, predicted, joined and evaluated."""

from __future__ import annotations

import logging
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hounsfield.data.prepared.case import load_facts
from hounsfield.data.prepared.splits import case_files, read_split
from hounsfield.models.training.engine.configuration import read_training_config
from hounsfield.models.training.engine.material import read_cases
from hounsfield.pipeline.batch.output_folder import atomic_file
from hounsfield.pipeline.errors import writing_to
from hounsfield.pipeline.evaluation.fold_predictions import (
    PREDICTIONS_CSV,
    is_predicted,
    is_trained,
    predict_fold,
)
from hounsfield.pipeline.evaluation.ground_truth_tables import write_ground_truth_tables
from hounsfield.pipeline.evaluation.luna16.command import luna16_command, luna16_summary
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from hounsfield.data.prepared.case import CaseFacts
    from hounsfield.models.training.engine.configuration import DataConfig, TrainingConfig
    from hounsfield.models.training.reporting.progress import TrainingProgress
    from hounsfield.pipeline.evaluation.schema import Luna16Evaluation

log = logging.getLogger(__name__)

ALL = "all"
EVALUATION_FOLDER = "evaluation"
DETECTING = ("detector", "retinanet")
"""The tasks whose models mark places in whole scans."""


@dataclass(frozen=True, slots=True)
class CrossValidation:
    """What folds that were joined have come to.

    Attributes:
        folder: Holds the joined ``predictions.csv``, its truth and the evaluation.
        evaluation: None where the scans hold no nodule.
        scans: How many were predicted.
        folds: Which.
        left_out: The folds that hold scans and are not among them.
    """

    folder: Path
    evaluation: Luna16Evaluation | None
    scans: int
    folds: tuple[int, ...]
    left_out: tuple[int, ...]


def cross_validate(
    recipe: Path,
    out: Path,
    words: Sequence[str],
    *,
    steps: int | None = None,
    progress: TrainingProgress | None = None,
) -> CrossValidation | None:
    """Trains each chosen fold from scratch, predicts its scans, joins and evaluates them.

    Fold k lies in ``fold-k``: a finished one is kept, a stopped one goes on. All folds together
    are joined in `out`, fewer in a folder of their own inside it.

    Args:
        recipe: Of a detector.
        out: The folder of all folds, of this recipe alone.
        words: Numbers of folds, or ``all`` of those that hold scans.
        steps: In place of the recipe's.
        progress: Where each training tells how far it is.

    Returns:
        What it came to; None in a process that only helps another one train (torchrun).

    Raises:
        UsageError: The recipe, its material or a fold cannot be used, or what `out` holds was
            made by another recipe or of other scans.
        OutputError: `out` cannot be written.
    """
    plain = read_training_config(recipe, steps=steps)
    if plain.task not in DETECTING:
        msg = (
            f"--fold ends in the marks of a detector, but {recipe} trains a {plain.task}: "
            "set data.fold in it and train without --fold"
        )
        raise UsageError(msg)
    with_scans = _folds_with_scans(plain)
    chosen = _chosen(words, with_scans)
    configs = {fold: plain.varied(fold=fold) for fold in chosen}
    scans = {fold: _scans(config.data) for fold, config in configs.items()}
    # Every fold is looked at before the first one trains: what is wrong is told at once.
    todo = [
        fold for fold in chosen if not is_predicted(configs[fold], out / _name(fold), scans[fold])
    ]
    log.info("%d of %d folds are done", len(chosen) - len(todo), len(chosen))
    for number, fold in enumerate(todo, start=1):
        started = time.monotonic()
        _make_fold(recipe, configs[fold], out / _name(fold), steps=steps, progress=progress)
        hours = (time.monotonic() - started) / 3600
        left = len(todo) - number
        log.info("fold %d took %.2f h, %d folds left, %.1f h", fold, hours, left, hours * left)
    if not _leads():
        return None
    return _join(out, scans, left_out=tuple(sorted({*with_scans} - {*chosen})))


def closing_lines(found: CrossValidation) -> list[str]:
    """What the command says at the end: loudly, where only some folds were predicted."""
    folds = ", ".join(map(str, found.folds))
    lines = []
    if found.left_out:
        lines.append(
            f"ONLY PART OF THE SET: the {found.scans} scans of fold {folds} alone. The folds "
            f"{', '.join(map(str, found.left_out))} are left out; this is no result on the whole "
            "set."
        )
    if found.evaluation is None:
        lines.append("No nodule is known in these scans: not evaluated.")
    else:
        lines += luna16_summary(found.evaluation)
    lines.append(f"marks on {found.scans} scans of fold {folds}: {found.folder / PREDICTIONS_CSV}")
    return lines


def _name(fold: int) -> str:
    return f"fold-{fold}"


def _folds_with_scans(config: TrainingConfig) -> list[int]:
    """The folds that hold at least one whole series."""
    if not config.data.cases:
        msg = "--fold needs prepared series to predict: name their folders in data.cases"
        raise UsageError(msg)
    splits = [read_split(folder) for folder in config.data.cases]
    return sorted({entry.fold for split in splits for entry in split.series})


def _scans(data: DataConfig) -> list[CaseFacts]:
    """What is known of the scans that are tested on; their arrays are not opened."""
    scans = map(load_facts, case_files(data.cases, "test", held=data.fold))
    return [scan for scan in scans if scan.patient_id not in data.held_out_patients]


def _chosen(words: Sequence[str], with_scans: Sequence[int]) -> list[int]:
    if list(words) == [ALL]:
        return list(with_scans)
    wrong = [word for word in words if not word.isdecimal() or int(word) not in with_scans]
    if wrong:
        known = ", ".join(map(str, with_scans))
        msg = f"--fold must be {ALL}, or a fold that holds series ({known}), got {wrong[0]!r}"
        raise UsageError(msg)
    return sorted({int(word) for word in words})


def _make_fold(
    recipe: Path,
    config: TrainingConfig,
    folder: Path,
    *,
    steps: int | None,
    progress: TrainingProgress | None,
) -> None:
    """Trains where there is no model yet, then predicts."""
    from hounsfield.models.inference.loading import load_detector
    from hounsfield.models.training.train import run_training

    fold = config.data.fold
    if not is_trained(config, folder):
        log.info("fold %d is kept for testing; the others are trained on", fold)
        run_training(recipe, folder, fold=fold, steps=steps, progress=progress)
    if _leads():
        detector = load_detector(folder, threads=config.optimisation.threads)
        predict_fold(detector, read_cases(config.data, "test"), config, folder)


def _leads() -> bool:
    """Whether this process is the one of torchrun's that writes and tells."""
    return os.environ.get("RANK", "0") == "0"


def _join(
    out: Path, scans: Mapping[int, Sequence[CaseFacts]], *, left_out: tuple[int, ...]
) -> CrossValidation:
    """One file of marks with its truth beside it, evaluated by the LUNA16 protocol."""
    folds = tuple(scans)
    folder = out / f"folds-{'-'.join(map(str, folds))}" if left_out else out
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with atomic_file(folder / PREDICTIONS_CSV) as path, path.open("wb") as joined:
        for number, fold in enumerate(folds):
            with (out / _name(fold) / PREDICTIONS_CSV).open("rb") as part:
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
    return CrossValidation(folder, evaluation, len(predicted), folds, left_out)
