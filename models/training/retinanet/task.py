"""The RetinaNet's training: its material, its patches and its loss, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.inference.retina_detector import RetinaDetector
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.retina_net import SIZE_DIVISOR_XYZ, retina_config, retina_net
from hounsfield.models.store.manifest import Calibration, Manifest
from hounsfield.models.training.detector.calibration import (
    calibrate,
    operating_points,
    validate_detector,
)
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_cases, training_material
from hounsfield.models.training.retinanet.loss import RetinaLoss
from hounsfield.models.training.retinanet.samples import RetinaSamples, RetinaSamplingConfig
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.store.manifest import TrainedWith
    from hounsfield.models.training.engine.configuration import TrainingConfig

SPACING_TOLERANCE_MM = 1e-3


RETINA_GRAPH = GraphSpec((1, 64, 64, 32), divisors=SIZE_DIVISOR_XYZ, outputs=6)
"""Logits and offsets of three levels."""


def retina_task(config: TrainingConfig) -> Task:
    """Reads the material and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
    """
    training, validation = _cases(config)
    plan = retina_config(config.network)
    sampling = retina_sampling(config)
    network = retina_net(plan)
    samples = RetinaSamples(
        training,
        sampling,
        varied=True,
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    held_out = RetinaSamples(
        validation,
        sampling,
        varied=False,
        length=config.optimisation.validation_samples,
        seed=config.seed + 1,
    )
    loss = RetinaLoss(network, plan).of_batch
    return Task(network, samples, held_out, loss, graph=RETINA_GRAPH)


def retina_sampling(config: TrainingConfig) -> RetinaSamplingConfig:
    """The recipe's numbers.

    Raises:
        UsageError: One is not known, or the patch cannot be divided by the network's strides.
    """
    try:
        sampling = RetinaSamplingConfig(**config.sampling)
    except TypeError as error:
        msg = f"sampling: {error}; a retinanet's recipe tells fields of RetinaSamplingConfig"
        raise UsageError(msg) from error
    if any(size % part for size, part in zip(sampling.patch_xyz, SIZE_DIVISOR_XYZ, strict=True)):
        msg = (
            f"sampling.patch_xyz must be divisible by {SIZE_DIVISOR_XYZ}, got {sampling.patch_xyz}"
        )
        raise UsageError(msg)
    return sampling


def retina_manifest(config: TrainingConfig, trained_with: TrainedWith, weights: bytes) -> Manifest:
    """Calibrates on the whole series of the validation fold.

    Raises:
        UsageError: The held-out data cannot be read.
    """
    training, validation = _cases(config)
    plain = Manifest(
        name=config.name,
        version=config.version,
        task="detector",
        summary="A RetinaNet as in the MONAI bundle lung_nodule_ct_detection, trained with its "
        "recipe at the spacing below.",
        licence="Apache-2.0",
        architecture="retina_net",
        network=retina_config(config.network).as_settings(),
        weights="",
        sha256="",
        spacing_mm=training[0].volume.spacing_mm,
        hu_window=retina_sampling(config).hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            (
                "Expect more false positives on scanners, kernels and diseases that the series "
                "above do not show."
            ),
            f"Thresholds were set on {len(validation)} series of patients not trained on.",
            "Not for children, not after surgery, not without a radiologist.",
        ),
    )
    detector = RetinaDetector(plain, weights, threads=config.optimisation.threads)
    trial = validate_detector(detector, validation, [], rounds=0, seed=config.seed)
    calibration = calibrate(trial)
    return plain.model_copy(
        update={
            "calibration": calibration,
            "operating_points": operating_points(trial, calibration),
        }
    )


def _cases(config: TrainingConfig) -> tuple[list[PreparedCase], list[PreparedCase]]:
    """The series to train on and those to validate on, all of one spacing."""
    training, validation = (read_cases(config.data, part) for part in ("training", "validation"))
    if not training or not validation:
        msg = "data.cases must hold series in the training folds and in the one that validates"
        raise UsageError(msg)
    _check_one_spacing([*training, *validation])
    return training, validation


def _check_one_spacing(cases: Sequence[PreparedCase]) -> None:
    wanted = cases[0].volume.spacing_mm
    for case in cases:
        found = case.volume.spacing_mm
        if not np.allclose(found, wanted, rtol=0, atol=SPACING_TOLERANCE_MM):
            msg = (
                f"a retinanet's series must have one spacing, but {cases[0].series_uid} has "
                f"{wanted} mm and {case.series_uid} {found} mm: prepare them alike"
            )
            raise UsageError(msg)
