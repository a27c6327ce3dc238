"""Writes volumes as NIfTI with a RAS affine, as MetaImage, or as a plain numpy archive."""

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
    """The formats in which a volume is written, by the suffix of the file."""

    NIFTI = ".nii.gz"
    METAIMAGE = ".mha"
    NUMPY = ".npz"

    @classmethod
    def of(cls, path: Path) -> VolumeFormat:
        """Returns the format that a file's name asks for.

        Raises:
            UsageError: The suffix is none of these.
        """
        for suffix in cls:
            if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
                return suffix
        suffixes = ", ".join(cls)
        msg = f"The name of a volume file must end in one of {suffixes}, got {path.name!r}"
        raise UsageError(msg)


def write_volume(
    volume: Volume | WorkingVolume, file: BinaryIO, volume_format: VolumeFormat
) -> None:
    """Writes a volume; the same volume gives the same bytes.

    The numpy archive holds ``hu`` (int16, ``[z, y, x]``) and ``affine`` (4 x 4, (x, y, z) indices
    to LPS mm), and for a working volume also ``lung_labels`` and ``search_mask``.

    Args:
        volume: On the native or the working grid.
        file: Open for writing in binary mode.
        volume_format: Decides how it is written, whatever the file is called.

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
