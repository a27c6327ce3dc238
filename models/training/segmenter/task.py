"""The segmenter's training, and its manifest with the Dice on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.losses.dice import DiceCELoss
from safetensors.torch import load
from torch.utils.data import DataLoader

from hounsfield.models.networks.onnx_graph import GraphSpec
from hounsfield.models.networks.segment_net import IMAGE_CHANNELS, segment_net
from hounsfield.models.store.manifest import Calibration, Manifest, TrainedWith
from hounsfield.models.training.detector.task import held_out_cases
from hounsfield.models.training.engine.loop import Task
from hounsfield.models.training.engine.material import read_cases, read_nodules, training_material
from hounsfield.models.training.segmenter.samples import (
    SegmentationSamples,
    SegmenterSamplingConfig,
)
from hounsfield.models.views.segmentation import MIN_WIDTH_MM, VIEW_VOXELS
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from hounsfield.models.training.engine.configuration import TrainingConfig

CERTAINLY_NOT = -30.0
"""The logit put where nothing is known: there the loss and its gradient vanish."""


def segmenter_task(config: TrainingConfig) -> Task:
    """Reads the material and builds the task.

    Raises:
        UsageError: The recipe or its material cannot be used.
    """
    samples = SegmentationSamples(
        read_cases(config.data, "training"),
        read_nodules(config.data, "training"),
        _plan(config),
        length=config.optimisation.steps * config.optimisation.batch,
        seed=config.seed,
    )
    return Task(
        segment_net(**config.network),
        samples,
        _held_out(config),
        segmentation_loss,
        graph=GraphSpec((IMAGE_CHANNELS, VIEW_VOXELS, VIEW_VOXELS, VIEW_VOXELS)),
    )


def segmentation_loss(logits: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Dice and cross-entropy (MONAI's `DiceCELoss`) where the answer is known.

    Args:
        logits: (batch, 2, z, y, x), both edges of `segment_net`.
        batch: ``share`` and ``known``, of the same shape.

    Returns:
        ``loss``, its two parts, and ``dice`` of what is known to be at least half nodule.
    """
    known = batch["known"] > 0
    logits = torch.where(known, logits, CERTAINLY_NOT)
    share = batch["share"] * known
    dice_and_entropy = DiceCELoss(sigmoid=True)
    drawn = dice_and_entropy(logits[:, :1], share[:, :1])
    exact = dice_and_entropy(logits[:, 1:], share[:, 1:])
    return {
        "loss": drawn + exact,
        "drawn_edge": drawn,
        "exact_edge": exact,
        "dice": _known_dice(logits, share).mean(),
    }


def _known_dice(logits: Tensor, share: Tensor) -> Tensor:
    """Dice of each sample's edges that hold anything, after both are cut at one half."""
    answer, truth = (logits > 0).flatten(2), (share >= 0.5).flatten(2)
    both, each = (answer & truth).sum(2), answer.sum(2) + truth.sum(2)
    return 2 * both[each > 0] / each[each > 0]


def segmenter_manifest(
    config: TrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Measures the Dice on nodules of other patients and on digital ones."""
    network = segment_net(**config.network)
    network.load_state_dict(load(weights))
    dice = _mean_dice(config, network.eval())
    spacing_mm = MIN_WIDTH_MM / VIEW_VOXELS
    return Manifest(
        name=config.name,
        version=config.version,
        task="segmenter",
        summary="The voxels of a nodule, from a view as many diameters wide for each size (MONAI "
        "U-Net), so that nodules of 4 mm and masses of 100 mm look alike to it; the input spacing "
        f"is that of the smallest. Dice {dice:.3f} on held-out samples of the same making, at "
        "places and sizes as far off as a detector's.",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(spacing_mm,) * 3,
        hu_window=_plan(config).hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            "Real nodules taught it where radiologists draw the edge, which is wide of it.",
            "Real nodules were cut off at their first and last slice; digital ones show the ends.",
            "Where a nodule meets tissue of its own density the edge is a guess.",
        ),
    )


def _plan(config: TrainingConfig) -> SegmenterSamplingConfig:
    try:
        return SegmenterSamplingConfig(
            **{**config.sampling, "hu_window": tuple(config.sampling["hu_window"])}
        )
    except (KeyError, TypeError) as error:
        msg = (
            f"sampling: {error}; a segmenter's recipe tells hu_window and SegmenterSamplingConfig's"
        )
        raise UsageError(msg) from error


def _held_out(config: TrainingConfig) -> SegmentationSamples:
    """Nodules of validation patients, and digital ones in the lungs of the validation fold."""
    return SegmentationSamples(
        held_out_cases(config.data),
        read_nodules(config.data, "validation"),
        _plan(config),
        length=config.optimisation.validation_samples,
        seed=config.seed + 1,
    )


def _mean_dice(config: TrainingConfig, network: torch.nn.Module) -> float:
    scores = []
    with torch.inference_mode():
        for batch in DataLoader(_held_out(config), batch_size=config.optimisation.batch):
            logits = torch.where(batch["known"] > 0, network(batch["image"]), CERTAINLY_NOT)
            scores.append(_known_dice(logits, batch["share"] * batch["known"]))
    return float(torch.cat(scores).mean())
