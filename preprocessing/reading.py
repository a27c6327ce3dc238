"""Reads a series of any file format into a `Volume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import HounsfieldError, SeriesError
from hounsfield.preprocessing.formats.metaimage import read_metaimage
from hounsfield.preprocessing.formats.nifti import read_nifti
from hounsfield.preprocessing.safety_net import INTERRUPTIONS, is_out_of_memory, surprise
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
            one that was rejected for another cause (too short, a copy) can still be read.

    Returns:
        The volume, with notices on how it was made.

    Raises:
        SeriesError: The series cannot be read, or would not come out right.
    """
    if series.rejection is not None and not series.readable:
        raise series.rejection
    try:
        return _READERS[series.format](series)
    except OSError as error:
        msg = f"A file of the series cannot be read: {error.strerror or error}"
        raise SeriesError(Reason.UNREADABLE, msg, path=error.filename or series.path) from error
    except (HounsfieldError, *INTERRUPTIONS):
        raise
    except BaseException as error:
        if not is_out_of_memory(error):
            raise surprise(error, path=series.path, subject="The series") from error
        msg = "The series does not fit into memory"
        if series.shape_zyx is not None:
            z, y, x = series.shape_zyx
            msg += f" ({x} x {y} x {z} voxels)"
        raise SeriesError(Reason.OUT_OF_MEMORY, msg, path=series.path) from error
