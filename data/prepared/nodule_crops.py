"""`NoduleCrop`: a prepared case of one nodule, for training that pastes nodules."""

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
        finding: Position, size and the readers' ratings.
        series_uid: The series from which it was cut.
        patient_id: The split keeps all nodules of a patient in one fold.
        hu: int16, ``[z, y, x]``.
        mask: float32, same shape: fraction of each voxel that is nodule, 0 to 1.
        spacing_mm: Distance of voxel centres along all three axes.
    """

    finding: KnownFinding
    series_uid: str
    patient_id: str
    hu: NDArray[np.int16]
    mask: NDArray[np.float32]
    spacing_mm: float


def as_crop(case: PreparedCase) -> NoduleCrop:
    """Converts a prepared case of one nodule.

    Args:
        case: A case that `hounsfield prepare nodule-crops` made.

    Returns:
        The nodule; `hu` is the case's own array.

    Raises:
        UsageError: The case has no outlines, or not exactly one finding.
    """
    if len(case.findings) != 1 or case.nodule_mask is None:
        msg = (
            f"{case.series_uid} must hold one nodule with its outlines, but holds "
            f"{len(case.findings)} findings and {'no' if case.nodule_mask is None else 'a'} mask: "
            "name a folder that `hounsfield prepare nodule-crops` made"
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
