"""Inserts real nodules of held-out patients into whole volumes of others, to validate on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.training.augmentation.pasting import nodule_stamp, paste

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase
    from hounsfield.data.prepared.nodule_crops import NoduleCrop
    from hounsfield.preprocessing.working_volume import WorkingVolume

CLEARANCE_MM = 10.0
"""Smallest gap between inserted nodules, and between them and known findings."""

MAX_ATTEMPTS = 200


def insert_nodules(
    case: PreparedCase, crops: Sequence[NoduleCrop], rng: np.random.Generator
) -> tuple[WorkingVolume, list[KnownFinding]]:
    """Pastes each nodule at a random free place of the lungs.

    Nodules are rotated and keep their size, but for the 5 % that interpolation costs.

    Args:
        case: Volume to insert into; its own findings are kept clear.
        crops: Nodules to insert; one that finds no place is left out.
        rng: Source of all random choices.

    Returns:
        A new volume, and the inserted nodules with their readers' ratings, without the case's own.
    """
    volume = case.volume
    hu = volume.hu.astype(np.float32)
    lung = np.argwhere(volume.lung_labels > 0)
    inserted: list[KnownFinding] = []
    for crop in crops:
        stamp = nodule_stamp(crop, rng, scale_range=(1.0, 1.0))
        for _ in range(MAX_ATTEMPTS):
            site = lung[int(rng.integers(len(lung)))].astype(np.float64)
            world = volume.world_mm(site[::-1])
            others = [*case.findings, *inserted]
            free = all(
                np.linalg.norm(world - other.centre_world_mm)
                > (other.diameter_mm + stamp.diameter_mm) / 2 + CLEARANCE_MM
                for other in others
            )
            if free and paste(hu, stamp, site):
                place = (float(world[0]), float(world[1]), float(world[2]))
                inserted.append(
                    replace(crop.finding, centre_world_mm=place, diameter_mm=stamp.diameter_mm)
                )
                break
    return replace(volume, hu=np.rint(hu).astype(np.int16)), inserted
