"""The malignancy rater's training, and its manifest with a calibration on other patients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load
from scipy import optimize, special
from torch.nn import functional

from hounsfield.models.inference.rater import MalignancyRater
from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.rate_net import RateNet
from hounsfield.models.store.manifest import Calibration, Manifest, TrainedWith
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_nodules, training_material
from hounsfield.models.training.rater.samples import (
    RaterSamplingConfig,
    RatingSamples,
    as_outlined,
    is_suspicious,
)
from hounsfield.models.views.rating import (
    GRID_MM,
    HU_WINDOW,
    SUSPICION_OUTPUTS,
    VIEW_CHANNELS,
    VIEW_VOXELS,
)
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.models.training.engine.configuration import TrainingConfig

ATTRIBUTES_WEIGHT = 1.0
"""Of what the nodule looks like, which is asked so that the network learns to look."""

STEADINESS = 0.01
"""Ridge that holds a line fitted on few nodules near slope one: where they are told apart wholly,
it would rise without end. Of 0.001, 0.01 and 0.03 the one of the least Brier score."""


def rater_task(config: TrainingConfig) -> Task:
    """Reads the material and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
    """
    plan = _plan(config)
    optimisation = config.optimisation
    return Task(
        RateNet(**config.network),
        RatingSamples(
            read_nodules(config.data, "training"),
            plan,
            length=optimisation.steps * optimisation.batch,
            seed=config.seed,
        ),
        RatingSamples(
            read_nodules(config.data, "validation"),
            plan,
            length=optimisation.validation_samples,
            seed=config.seed + 1,
        ),
        rating_loss,
        graph=GraphSpec((VIEW_CHANNELS, VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def rating_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Cross-entropy with the probability that is taught.

    Args:
        logits: (batch, 5), see `RateNet`.
        batch: ``target`` (batch, 4), suspicion and looks; below 0 where it is not known.

    Returns:
        ``loss`` and its parts, for suspicion and for what the nodule looks like.
    """
    target = torch.cat([batch["target"][:, :1]] * (SUSPICION_OUTPUTS - 1) + [batch["target"]], 1)
    each = functional.binary_cross_entropy_with_logits(
        logits, target.clamp(min=0), reduction="none"
    )
    counted = (each * (target >= 0)).mean(0)
    suspicion, look = counted[:SUSPICION_OUTPUTS].sum(), counted[SUSPICION_OUTPUTS:].mean()
    return {"loss": suspicion + ATTRIBUTES_WEIGHT * look, "suspicion": suspicion, "looks": look}


def rater_manifest(config: TrainingConfig, trained_with: TrainedWith, weights: bytes) -> Manifest:
    """Fits the calibration on the nodules of the validation fold."""
    manifest = Manifest(
        name=config.name,
        version=config.version,
        task="rater",
        summary="",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(GRID_MM,) * 3,
        hu_window=HU_WINDOW,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            "Radiologists' rating, not pathology: what they suspect, not what it is.",
            "Learnt from nodules of 3 to 33 mm; of a larger mass it has seen no like.",
            "It sees the outlined slices alone: no place in the lung, growth, age or smoking.",
        ),
    )
    nodules = [
        one
        for one in read_nodules(config.data, "validation")
        if is_suspicious(one.finding) is not None
    ]
    logits = rating_logits(config, manifest, weights, nodules)
    suspicious = np.array([is_suspicious(one.finding) for one in nodules], bool)
    calibration = fitted_calibration(logits, suspicious)
    summary = (
        "The probability that radiologists rate a nodule 4 or 5 rather than 1 or 2 for malignancy "
        "(MONAI ResNet beside a line through what is measured): their rating, not pathology. "
        f"Calibrated on {len(nodules)} nodules of other patients."
    )
    return manifest.model_copy(update={"summary": summary, "calibration": calibration})


def rating_logits(
    config: TrainingConfig, manifest: Manifest, weights: bytes, nodules: Sequence[NoduleCrop]
) -> NDArray[np.float64]:
    """What the network answers for nodules as readers outlined them, uncalibrated."""
    network = RateNet(**config.network)
    network.load_state_dict(load(weights))
    network.eval()

    def run(image: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.inference_mode():
            answer: NDArray[np.float32] = network(torch.from_numpy(image)).numpy()
        return answer

    answers = MalignancyRater(manifest, run).logits([as_outlined(one) for one in nodules])
    return np.array([np.nan if answer is None else answer for answer in answers])


def fitted_calibration(logits: NDArray[np.float64], suspicious: NDArray[np.bool_]) -> Calibration:
    """Slope and intercept by maximum likelihood (Platt, 1999), held near one and zero."""

    def unlikelihood(line: NDArray[np.float64]) -> float:
        scaled = line[0] * logits + line[1]
        likely = np.where(suspicious, special.log_expit(scaled), special.log_expit(-scaled))
        return float(-likely.mean() + STEADINESS * ((line[0] - 1) ** 2 + line[1] ** 2))

    slope, intercept = optimize.minimize(unlikelihood, np.array([1.0, 0.0])).x.tolist()
    return Calibration(slope=round(slope, 4), intercept=round(intercept, 4))


def _plan(config: TrainingConfig) -> RaterSamplingConfig:
    try:
        return RaterSamplingConfig(
            **{**config.sampling, "targets": tuple(config.sampling["targets"])}
        )
    except (KeyError, TypeError) as error:
        msg = f"sampling: {error}; a rater takes targets and the fields of RaterSamplingConfig"
        raise UsageError(msg) from error
