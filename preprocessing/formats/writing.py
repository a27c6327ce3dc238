"""Writes volumes for others: NIfTI with a RAS affine, MetaImage, or a plain numpy archive."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.formats.metaimage import write_metaimage
from hounsfield.preprocessing.formats.nifti import write_nifti

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume


class VolumeFormat(StrEnum):
    """The forms in which a volume is written, by the suffix of the file."""

    NIFTI = ".nii.gz"
    METAIMAGE = ".mha"
    NUMPY = ".npz"

    @classmethod
    def of(cls, path: Path) -> VolumeFormat:
        """Tells the form from a file's name.

        Raises:
            UsageError: The suffix is none of these.
        """
        for one in cls:
            if path.name.lower().endswith(one.value) and len(path.name) > len(one.value):
                return one
        names = ", ".join(cls)
        msg = f"a volume is written as one of {names}, got {path.name!r}"
        raise UsageError(msg)


def write_volume(
    volume: Volume | WorkingVolume, file: BinaryIO, volume_format: VolumeFormat
) -> None:
    """Writes a volume to a file that is open for writing; the same bytes each time.

    The numpy archive holds ``hu`` (int16, ``[z, y, x]``) and ``affine`` (4 x 4, (x, y, z) indices
    to LPS mm), and of a working volume also ``lung_labels`` and ``search_mask``.

    Raises:
        OSError: The file cannot be written.
    """
    match volume_format:
        case VolumeFormat.NIFTI:
            write_nifti(volume.hu, volume.affine, file)
        case VolumeFormat.METAIMAGE:
            write_metaimage(volume.hu, volume.affine, file)
        case VolumeFormat.NUMPY:
            masks = {
                name: getattr(volume, name)
                for name in ("lung_labels", "search_mask")
                if hasattr(volume, name)
            }
            np.savez_compressed(file, hu=volume.hu, affine=volume.affine, **masks)
