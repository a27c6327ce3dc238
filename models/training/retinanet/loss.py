"""The RetinaNet's loss, as in the MONAI bundle's training: ATSS, hard negatives, two parts."""

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
ANCHORS_AN_IMAGE = 64
POSITIVE_SHARE = 0.3
MIN_NEGATIVES = 16
HARD_NEGATIVE_POOL = 20
"""Negatives are drawn from the so many times as many that have the highest scores."""


class RetinaLoss(RetinaNetDetector):
    """Binary cross-entropy over chosen anchors, and smooth L1 of the boxes of matched ones.

    Anchors are matched by Zhang et al., Adaptive Training Sample Selection, 2020. Those centred
    in a box to ignore are neither nodule nor background.

    Args:
        network: Is asked for its sizes only.
        plan: Gives the anchors.
    """

    def __init__(self, network: RetinaNet, plan: RetinaConfig) -> None:
        super().__init__(network, anchor_generator(plan))
        self.set_atss_matcher(num_candidates=ATSS_CANDIDATES, center_in_gt=False)
        self.set_hard_negative_sampler(
            batch_size_per_image=ANCHORS_AN_IMAGE,
            positive_fraction=POSITIVE_SHARE,
            min_neg=MIN_NEGATIVES,
            pool_size=HARD_NEGATIVE_POOL,
        )

    def of_batch(
        self, output: dict[str, list[Tensor]], batch: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Gives ``loss``, the sum that is minimised, and its parts.

        Args:
            output: Of the network: logits and box offsets of each level.
            batch: As `RetinaSamples` makes it.
        """
        image = batch["image"]
        self.generate_anchors(image, output)
        cells = [level.shape[2:].numel() for level in output[self.cls_key]]
        maps = {key: self._reshape_maps(output[key]) for key in (self.cls_key, self.box_reg_key)}
        targets = [
            {"boxes": boxes, "labels": labels}
            for boxes, labels in zip(batch["boxes"], batch["labels"], strict=True)
        ]
        # The choice of negatives depends on the samples alone, so training can be resumed exactly.
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
        """As MONAI's, but matches first and hands on the nodules alone."""
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
        """For each anchor of each image its nodule, or that it has none, or that it is ignored.

        MONAI's own asks for torchvision.
        """
        matched = []
        for anchors_of_one, target in zip(anchors, targets, strict=True):
            _, found = self.proposal_matcher(
                _with_label(target, NODULE)["boxes"],
                anchors_of_one,
                num_anchor_locs_per_level,
                self.num_anchors_per_loc,
            )
            found = found.to(anchors_of_one.device)
            doubtful = _centred_in(anchors_of_one, _with_label(target, IGNORED)["boxes"])
            found[(found < 0) & doubtful] = self.proposal_matcher.BETWEEN_THRESHOLDS
            matched.append(found)
        return matched


def _with_label(target: dict[str, Tensor], label: int) -> dict[str, Tensor]:
    """The boxes of one label, all with class 0: there is only one class."""
    chosen = target["labels"] == label
    return {
        "boxes": target["boxes"][chosen],
        "labels": torch.zeros_like(target["labels"][chosen]),
    }


def _centred_in(anchors: Tensor, boxes: Tensor) -> Tensor:
    """Whether each anchor (n, 6) has its centre in any of the boxes (m, 6)."""
    centres = (anchors[:, None, :3] + anchors[:, None, 3:]) / 2
    inside = (centres >= boxes[None, :, :3]) & (centres <= boxes[None, :, 3:])
    return inside.all(dim=2).any(dim=1)
