"""What `hounsfield convert` does: one series as a volume file that other programs read."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal, cast

from hounsfield.pipeline.batch.output_folder import atomic_file
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.lungs.segment import find_lungs
from hounsfield.preprocessing.reading import read_volume
from hounsfield.preprocessing.selection import KernelChoice, by_study, rank_series
from hounsfield.preprocessing.working_grid import to_working_volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hounsfield.preprocessing.series import Series
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
    """Writes one series as ``.nii.gz`` (RAS), ``.mha`` (LPS) or ``.npz``; it appears whole.

    Args:
        source: A file or folder. Where it holds several series, the one that a run would
            analyse is taken; of several studies, `series_uid` must choose.
        out: The file to write; its suffix tells the form. It replaces an older one, but
            never a file of the input.
        series_uid: Takes this series, even one that a run would leave out but that can be read.
        grid: ``native`` as the scanner made it, or ``working``: the isotropic box around the
            lungs on which networks look.
        spacing_mm: Of the working grid.
        kernel: Which reconstruction kernel is wanted where there is a choice.

    Returns:
        The volume on its native grid, with its notices.

    Raises:
        UsageError: The suffix is not known, or the input does not hold one such series.
        SeriesError: The series cannot be read; or has no lungs, for the working grid.
        OutputError: The file cannot be written.
    """
    volume_format = VolumeFormat.of(out)
    found = discover([source]).series
    series = _by_uid(found, series_uid, source) if series_uid else _best(found, source, kernel)
    if any(out.resolve() == one.path.resolve() for each in found for one in each.sources):
        msg = f"--out {out} is a file of the input; choose another name"
        raise UsageError(msg)
    volume = read_volume(series)
    written: Volume | WorkingVolume = volume
    if grid == "working":
        written = to_working_volume(volume, find_lungs(volume), spacing_mm=spacing_mm)
    with atomic_file(out) as temporary, temporary.open("wb") as file:
        write_volume(written, cast("BinaryIO", file), volume_format)
    return volume


def _by_uid(found: Sequence[Series], series_uid: str, source: Path) -> Series:
    """The series of an identifier; of several copies the one that is not rejected."""
    same = [one for one in found if one.facts.series_uid == series_uid]
    if not same:
        known = ", ".join(sorted({one.facts.series_uid for one in found})[:5]) or "none"
        msg = f"{source} holds no series {series_uid!r}; it holds: {known}"
        raise UsageError(msg)
    return min(same, key=lambda one: (one.rejection is not None, not one.readable))


def _best(found: Sequence[Series], source: Path, kernel: KernelChoice) -> Series:
    """The one series that a run would analyse, or else the only one that can be read."""
    usable = [one for one in found if one.readable]
    if not usable:
        why = f": {found[0].rejection.message}" if found and found[0].rejection else ""
        msg = f"{source} holds no series that can be read{why}"
        raise UsageError(msg)
    ranked = [
        series
        for series_of_study in by_study(usable).values()
        for series, rejection in rank_series(series_of_study, kernel=kernel)[:1]
        if rejection is None
    ]
    candidates = ranked or [
        one
        for one in usable
        if not (one.rejection and one.rejection.reason is Reason.DUPLICATE_SERIES)
    ]
    if len(candidates) != 1:
        names = ", ".join(one.facts.series_uid for one in candidates[:5])
        msg = f"{source} holds {len(candidates)} series to choose from; give --series: {names}"
        raise UsageError(msg)
    return candidates[0]
