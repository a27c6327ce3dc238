"""`NoduleCrop`: a prepared case of one nodule, as training that pastes nodules takes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.case import FULL_VOXEL
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.data.prepared.case import KnownFinding, PreparedCase


@dataclass(frozen=True, slots=True, eq=False)
class NoduleCrop:
    """A nodule on an isotropic upright grid (x to the left, y to the back, z to the head).

    Attributes:
        finding: Where it lay, its size, and what readers said of it.
        series_uid: The series it was cut from.
        patient_id: What splits are made by.
        hu: int16, ``[z, y, x]``.
        mask: float32, same shape: the part of each voxel that the nodule fills, 0 to 1.
        spacing_mm: Of all three axes.
    """

    finding: KnownFinding
    series_uid: str
    patient_id: str
    hu: NDArray[np.int16]
    mask: NDArray[np.float32]
    spacing_mm: float


def as_crop(case: PreparedCase) -> NoduleCrop:
    """Takes a case of one nodule for what it is.

    Raises:
        UsageError: It is a case of another kind: not one finding, or no outlines.
    """
    if len(case.findings) != 1 or case.nodule_mask is None:
        msg = (
            f"{case.series_uid} must hold one nodule with its outlines, but holds "
            f"{len(case.findings)} findings and {'no' if case.nodule_mask is None else 'a'} mask: "
            "is the folder what `hounsfield prepare nodule-crops` made?"
        )
        raise UsageError(msg)
    return NoduleCrop(
        finding=case.findings[0],
        series_uid=case.origin.source_series_uid or case.series_uid,
        patient_id=case.patient_id,
        hu=case.volume.hu,
        mask=np.divide(case.nodule_mask, FULL_VOXEL, dtype=np.float32),
        spacing_mm=case.volume.spacing_mm[0],
    )
