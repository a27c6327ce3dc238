"""Loss of the RetinaNet, as in the MONAI bundle's training: ATSS, hard negatives, two parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from monai.apps.detection.networks.retinanet_detector import RetinaNetDetector

from hounsfield.models.networks.retina_net import anchor_generator
from hounsfield.models.training.retinanet.samples import IGNORED, NODULE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monai.apps.detection.networks.retinanet_network import RetinaNet
    from torch import Tensor

    from hounsfield.models.networks.retina_net import RetinaConfig

ATSS_CANDIDATES = 4
ANCHORS_PER_IMAGE = 64
POSITIVE_FRACTION = 0.3
MIN_NEGATIVES = 16
HARD_NEGATIVE_POOL = 20
"""Negatives are sampled from those with the highest scores, this many times as many as needed."""


class RetinaLoss(RetinaNetDetector):
    """Binary cross-entropy of sampled anchors, and smooth L1 of the boxes of matched ones.

    Anchors are matched by Adaptive Training Sample Selection (Zhang et al., CVPR 2020). Those
    centred in a box to ignore count neither as nodule nor as background.

    Args:
        network: RetinaNet whose levels and numbers of anchors are used; it is never called.
        config: Shapes and scales of the anchors.
    """

    def __init__(self, network: RetinaNet, config: RetinaConfig) -> None:
        super().__init__(network, anchor_generator(config))
        self.set_atss_matcher(num_candidates=ATSS_CANDIDATES, center_in_gt=False)
        self.set_hard_negative_sampler(
            batch_size_per_image=ANCHORS_PER_IMAGE,
            positive_fraction=POSITIVE_FRACTION,
            min_neg=MIN_NEGATIVES,
            pool_size=HARD_NEGATIVE_POOL,
        )

    def of_batch(
        self, output: dict[str, list[Tensor]], batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Computes ``loss`` and its parts ``classification`` and ``boxes``.

        Args:
            output: Logits and box offsets of each level, the output of the network.
            batch: ``image``, ``boxes``, ``labels`` and ``index`` of `RetinaSamples`.
        """
        image = batch["image"]
        self.generate_anchors(image, output)
        cells = [level.shape[2:].numel() for level in output[self.cls_key]]
        maps = {key: self._reshape_maps(output[key]) for key in (self.cls_key, self.box_reg_key)}
        targets = [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(batch["boxes"], batch["labels"], strict=True)
        ]
        # Sampling of negatives depends on the batch alone, so that training resumes exactly.
        with torch.random.fork_rng([image.get_device()] if image.is_cuda else []):
            torch.manual_seed(int(batch["index"][0]))
            parts = self.compute_loss(maps, targets, self.anchors or [], cells)
        classification = parts[self.cls_key]
        boxes = parts[self.box_reg_key].to(classification.device)
        return {
            "loss": classification + boxes,
            "classification": classification,
            "boxes": boxes,
        }

    def compute_loss(
        self,
        head_outputs_reshape: dict[str, Tensor],
        targets: list[dict[str, Tensor]],
        anchors: list[Tensor],
        num_anchor_locs_per_level: Sequence[int],
    ) -> dict[str, Tensor]:
        """Computes both parts of the loss; unlike MONAI's, after matching and for nodules only.

        Args:
            head_outputs_reshape: Logits and offsets, (batch, anchors, values) each.
            targets: ``boxes`` (n, 6) and ``labels`` (n,) of each image.
            anchors: Anchor boxes of each image, (anchors, 6).
            num_anchor_locs_per_level: Number of cells of each level.
        """
        matched = self.compute_anchor_matched_idxs(anchors, targets, num_anchor_locs_per_level)
        nodules = [_with_label(target, NODULE) for target in targets]
        logits, offsets = (head_outputs_reshape[key] for key in (self.cls_key, self.box_reg_key))
        return {
            self.cls_key: self.compute_cls_loss(logits, nodules, matched),
            self.box_reg_key: self.compute_box_loss(offsets, nodules, anchors, matched),
        }

    def compute_anchor_matched_idxs(
        self,
        anchors: list[Tensor],
        targets: list[dict[str, Tensor]],
        num_anchor_locs_per_level: Sequence[int],
    ) -> list[Tensor]:
        """Matches each anchor of each image to a nodule, to background, or to nothing.

        MONAI's own method needs torchvision.

        Args:
            anchors: Anchor boxes of each image, (anchors, 6).
            targets: ``boxes`` (n, 6) and ``labels`` (n,) of each image.
            num_anchor_locs_per_level: Number of cells of each level.
        """
        matched = []
        for image_anchors, target in zip(anchors, targets, strict=True):
            _, indices = self.proposal_matcher(
                _with_label(target, NODULE)["boxes"],
                image_anchors,
                num_anchor_locs_per_level,
                self.num_anchors_per_loc,
            )
            indices = indices.to(image_anchors.device)
            ignored = _centred_in(image_anchors, _with_label(target, IGNORED)["boxes"])
            indices[(indices < 0) & ignored] = self.proposal_matcher.BETWEEN_THRESHOLDS
            matched.append(indices)
        return matched


def _with_label(target: dict[str, Tensor], label: int) -> dict[str, Tensor]:
    """The boxes of one label, all with class 0: there is only one class."""
    selected = target["labels"] == label
    return {
        "boxes": target["boxes"][selected],
        "labels": torch.zeros_like(target["labels"][selected]),
    }


def _centred_in(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Whether each anchor (n, 6) has its centre in any of the boxes (m, 6)."""
    centres = (anchors[:, None, :3] + anchors[:, None, 3:]) / 2
    inside = (centres >= boxes[None, :, :3]) & (centres <= boxes[None, :, 3:])
    return inside.all(dim=2).any(dim=1)
