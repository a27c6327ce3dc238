"""Manifest of a trained segmenter, with the Dice coefficient on held-out samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import load
from torch.utils.data import DataLoader

from hounsfield.models.networks.segment_net import segment_net
from hounsfield.models.store.manifest import Calibration, Manifest, TrainedWith
from hounsfield.models.training.engine.material import training_material
from hounsfield.models.training.segmenter.loss import dice_scores, known_part
from hounsfield.models.training.segmenter.task import held_out_samples
from hounsfield.models.views.segmentation import MIN_WIDTH_MM, VIEW_VOXELS

if TYPE_CHECKING:
    from hounsfield.models.training.segmenter.configuration import SegmenterTrainingConfig


def segmenter_manifest(
    config: SegmenterTrainingConfig, trained_with: TrainedWith, weights: bytes
) -> Manifest:
    """Measures the Dice coefficient on nodules of other patients and on synthetic ones.

    Args:
        config: Training configuration of the weights.
        trained_with: Record of the training, for the manifest.
        weights: Content of a safetensors file.

    Returns:
        The manifest, without the hash of the weights.
    """
    network = segment_net(**config.network)
    network.load_state_dict(load(weights))
    dice = _mean_dice(config, network.eval())
    spacing_mm = MIN_WIDTH_MM / VIEW_VOXELS
    return Manifest(
        name=config.name,
        version=config.version,
        task="segmenter",
        summary="Segments a nodule in a view whose width is a fixed multiple of its diameter "
        "(MONAI U-Net), so that nodules of 4 mm and masses of 100 mm look alike to the network; "
        f"the input spacing is that of the smallest. Dice {dice:.3f} on held-out samples of the "
        "same kinds, with a detector's errors of centre and diameter.",
        licence="Apache-2.0",
        network=config.network,
        weights="",
        sha256="",
        spacing_mm=(spacing_mm,) * 3,
        hu_window=config.sampling.hu_window,
        calibration=Calibration(),
        training_material=training_material(config.data),
        trained_with=trained_with,
        limits=(
            "Real nodules taught it the outline that radiologists draw, outside the true boundary.",
            (
                "Real nodules were cut off at their first and last slice; synthetic ones show the "
                "ends."
            ),
            "Where a nodule meets tissue of its own density the boundary is a guess.",
        ),
    )


def _mean_dice(config: SegmenterTrainingConfig, network: torch.nn.Module) -> float:
    loader = DataLoader(held_out_samples(config), batch_size=config.optimisation.batch)
    with torch.inference_mode():
        scores = [dice_scores(*known_part(network(batch["image"]), batch)) for batch in loader]
    return float(torch.cat(scores).mean())
