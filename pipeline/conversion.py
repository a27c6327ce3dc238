"""``hounsfield convert``: writes one series as a volume file that other programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from hounsfield.pipeline.series_choice import choose_series
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.atomic_write import atomic_file
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.safety_net import as_series_error
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from pathlib import Path

    from hounsfield.preprocessing.selection import KernelChoice
    from hounsfield.preprocessing.volume import Volume
    from hounsfield.preprocessing.working_volume import WorkingVolume

Grid = Literal["native", "working"]


def convert(
    source: Path,
    out: Path,
    *,
    series_uid: str | None = None,
    grid: Grid = "native",
    spacing_mm: float = 1.0,
    kernel: KernelChoice = "soft",
) -> Volume:
    """Write one series as ``.nii.gz`` (RAS), ``.mha`` (LPS) or ``.npz``, atomically.

    Args:
        source: A file, folder or archive. Of several series, the one that a run would analyse is
            taken; of several studies, `series_uid` must choose.
        out: File to write; its suffix names the format. It replaces an older one, but never a file
            of the input.
        series_uid: Take this series, even one that a run would leave out but that can be read.
        grid: ``native`` as the scanner made it, or ``working``: the isotropic box around the lungs
            on which networks run.
        spacing_mm: Voxel spacing of the working grid, in mm.
        kernel: Preferred reconstruction kernel where a study has several.

    Returns:
        The volume on its native grid, with its notices.

    Raises:
        UsageError: The suffix is not known, or the input does not hold one such series.
        SeriesError: The series cannot be read; or has no lungs, for the working grid.
        OutputError: The file cannot be written.
    """
    volume_format = VolumeFormat.of(out)
    series, every = choose_series(source, series_uid=series_uid, kernel=kernel)
    inputs = {file.path.resolve() for listed in every for file in listed.sources}
    if out.resolve() in inputs:
        msg = f"--out {out} is a file of the input; choose another name"
        raise UsageError(msg)
    volume = read_volume(series)
    written: Volume | WorkingVolume = volume
    if grid == "working":
        with as_series_error(series.path, "The series", reason=Reason.INTERNAL):
            written = to_working_volume(volume, find_lungs(volume), spacing_mm=spacing_mm)
    with atomic_file(out) as temporary, temporary.open("wb") as file:
        write_volume(written, cast("BinaryIO", file), volume_format)
    return volume
