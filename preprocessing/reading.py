"""Reads a series, whatever files it lies in, into a `Volume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.formats.metaimage import read_metaimage
from hounsfield.preprocessing.formats.nifti import read_nifti
from hounsfield.preprocessing.series import SeriesFormat

if TYPE_CHECKING:
    from hounsfield.preprocessing.series import Series
    from hounsfield.preprocessing.volume import Volume

_READERS = {
    SeriesFormat.DICOM: read_dicom_volume,
    SeriesFormat.METAIMAGE: read_metaimage,
    SeriesFormat.NIFTI: read_nifti,
}


def read_volume(series: Series) -> Volume:
    """Reads the pixels of a series as HU on its native grid.

    Args:
        series: From `discover`. One that is not `readable` is refused with its own rejection;
            one rejected for another cause (too short, a copy) can be read all the same.

    Raises:
        SeriesError: It cannot be read, or would not come out right.
    """
    if series.rejection is not None and not series.readable:
        raise series.rejection
    try:
        return _READERS[series.format](series)
    except OSError as error:
        msg = f"{series.path} cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg) from error
    except MemoryError as error:
        msg = f"{series.path}: the memory does not hold it"
        if series.shape_zyx is not None:
            z, y, x = series.shape_zyx
            msg += f" ({x} x {y} x {z} voxels)"
        raise SeriesError(Reason.OUT_OF_MEMORY, msg) from error
