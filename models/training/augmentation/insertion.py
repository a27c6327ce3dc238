"""A yardstick: real nodules of held-out patients, inserted into whole lungs of others."""

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
"""Inserted nodules keep this distance from one another and from what is known."""

TRIES = 200


def insert_nodules(
    case: PreparedCase, crops: Sequence[NoduleCrop], rng: np.random.Generator
) -> tuple[WorkingVolume, list[KnownFinding]]:
    """Pastes each nodule at a random place of the lungs, where one is free.

    Nodules are turned but keep their size, but for the 5 % that turning costs.

    Returns:
        A new volume, and the nodules that found a place, rated as they were (those of the case
        not among them).
    """
    volume = case.volume
    hu = volume.hu.astype(np.float32)
    lung = np.argwhere(volume.lung_labels > 0)
    inserted: list[KnownFinding] = []
    for crop in crops:
        stamp = nodule_stamp(crop, rng, scale_range=(1.0, 1.0))
        for _ in range(TRIES):
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
