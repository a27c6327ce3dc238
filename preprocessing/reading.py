"""Reads a series of any file format into a `Volume`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.formats.metaimage import read_metaimage
from hounsfield.preprocessing.formats.nifti import read_nifti
from hounsfield.preprocessing.safety_net import as_series_error
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
    with as_series_error(series.path, series.subject):
        return _READERS[series.format](series)
