"""Makes the `Series` of instances that cannot be read, or whose geometry is not known yet."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.preprocessing.series import Series, SeriesFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.dicom.headers.instance import Instance
    from hounsfield.preprocessing.errors import SeriesError
    from hounsfield.preprocessing.files.sources import ByteSource


def rejected_series(instances: Sequence[Instance], rejection: SeriesError | None) -> Series:
    """Returns a series of instances that is not readable.

    Args:
        instances: Headers of its files, at least one, in the order of the series.
        rejection: Why it cannot be read; None if only the geometry remains to be found out.
    """
    first = instances[0].facts
    return Series(
        path=_common_path(instance.source for instance in instances),
        format=SeriesFormat.DICOM,
        sources=tuple(instance.source for instance in instances),
        facts=replace(first, lossy=any(instance.facts.lossy for instance in instances)),
        instances=tuple(instances),
        rejection=rejection,
        readable=False,
    )


def _common_path(sources: Iterable[ByteSource]) -> Path:
    """The file or archive, or the deepest folder that holds all of them."""
    paths = {source.path for source in sources}
    if len(paths) == 1:
        return paths.pop()
    return Path(os.path.commonpath([path.parent for path in paths]))
