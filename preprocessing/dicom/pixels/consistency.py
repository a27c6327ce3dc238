"""Checks slices whose header differs from the others' against the slices beside them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hounsfield.preprocessing.codes import Notice, NoticeCode, Reason
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from numpy.typing import NDArray

    from hounsfield.preprocessing.dicom.headers.plane import Plane

_SUBSAMPLE: Final = 4
"""Every fourth pixel of every fourth row is compared."""

_USUAL_PAIRS: Final = 24
"""Pairs of ordinary slices from which the usual difference of two slices is taken."""

_LARGEST_FACTOR, _EXTRA_HU = 1.5, 8.0
"""How much more than usual a slice may differ from the one beside it. Neighbours differ alike
throughout a chest; a rescale that is off by 24 HU, or a lost bit, adds more."""


class Inconsistent(NamedTuple):
    """What is known of slices whose headers differ from the others'.

    Attributes:
        failures: The error of each plane whose values do not fit, by its index in the stack.
        notices: On planes whose values fit, so that their own header is right.
    """

    failures: dict[int, SeriesError]
    notices: tuple[Notice, ...]


def check_consistency(
    planes: Sequence[Plane], slice_of: Callable[[int], NDArray[np.int16]]
) -> Inconsistent:
    """Compares slices of another rescale or pixel format with the slices beside them.

    Each slice is read by its own header, which is what the standard asks for. One that differs
    from most may be a slip of some writer: then its values leap.

    Args:
        planes: The planes of a stack, sorted along the normal.
        slice_of: Returns the HU of a plane, ``[row, column]``, by its index in `planes`.

    Returns:
        The planes that must not be used, and what a reader must know of the others.
    """
    formats = [_format(plane) for plane in planes]
    if len(set(formats)) == 1:
        return Inconsistent({}, ())
    usual, _ = Counter(formats).most_common(1)[0]
    example = planes[formats.index(usual)]
    leaps = _Leaps(formats, slice_of)
    failures: dict[int, SeriesError] = {}
    fitting: list[str] = []
    for run in _runs(formats):
        if formats[run[0]] == usual:
            continue
        words = [_words(planes[index], example) for index in run]
        if leaps.at_ends_of(run, usual):
            failures |= {i: _misfit(planes[i], w) for i, w in zip(run, words, strict=True)}
        else:
            fitting += words
    return Inconsistent(failures, _fitting(fitting))


def _runs(formats: Sequence[Hashable]) -> list[range]:
    """Neighbouring slices of one format."""
    changes = [i for i in range(1, len(formats)) if formats[i - 1] != formats[i]]
    return [range(a, b) for a, b in pairwise([0, *changes, len(formats)])]


class _Leaps:
    """Finds where values leap from one slice to the next, between slices of different formats.

    Args:
        formats: The format of each slice.
        slice_of: Returns the HU of a slice by its index.
    """

    def __init__(
        self, formats: Sequence[Hashable], slice_of: Callable[[int], NDArray[np.int16]]
    ) -> None:
        self._formats = formats
        pairs = range(1, len(formats))
        changes = {
            i: _difference(slice_of(i - 1), slice_of(i))
            for i in pairs
            if formats[i - 1] != formats[i]
        }
        alike = [i for i in pairs if i not in changes]
        every = max(1, len(alike) // _USUAL_PAIRS)
        usual = [_difference(slice_of(i - 1), slice_of(i)) for i in alike[::every]]
        limit = _LARGEST_FACTOR * np.median(usual or list(changes.values()), axis=0) + _EXTRA_HU
        self._places = {i for i, difference in changes.items() if (difference > limit).any()}

    def at_ends_of(self, run: range, usual: Hashable) -> bool:
        """Whether a run leaps from a slice of the usual format, or from both its neighbours."""
        ends = [(run.start, run.start - 1), (run.stop, run.stop)]
        inside = [(place, other) for place, other in ends if 0 <= other < len(self._formats)]
        leaping = [place in self._places for place, _ in inside]
        beside_usual = [self._formats[other] == usual for _, other in inside]
        return all(leaping) or any(
            leap and trusted for leap, trusted in zip(leaping, beside_usual, strict=True)
        )


def _format(plane: Plane) -> Hashable:
    """The header values that decide what stored bits mean."""
    layout, frame = plane.instance.pixels, plane.frame
    return (
        frame.rescale_slope,
        frame.rescale_intercept,
        *(
            (layout.bits_allocated, layout.bits_stored, layout.high_bit, layout.signed)
            if layout
            else ()
        ),
        layout.photometric if layout else "",
    )


def _difference(a: NDArray[np.int16], b: NDArray[np.int16]) -> NDArray[np.float64]:
    """The mean absolute difference of two slices, and the shift of their median, both in HU."""
    few = b[::_SUBSAMPLE, ::_SUBSAMPLE].astype(np.int32) - a[::_SUBSAMPLE, ::_SUBSAMPLE]
    return np.array([np.abs(few).mean(), abs(float(np.median(few)))])


def _words(plane: Plane, usual: Plane) -> str:
    """The first header value by which a plane differs, with the usual one."""
    a, b = plane.instance.pixels, usual.instance.pixels
    pairs: list[tuple[str, object, object]] = [
        ("RescaleSlope (0028,1053)", plane.frame.rescale_slope, usual.frame.rescale_slope),
        (
            "RescaleIntercept (0028,1052)",
            plane.frame.rescale_intercept,
            usual.frame.rescale_intercept,
        ),
    ]
    if a is not None and b is not None:
        pairs += [
            ("BitsAllocated (0028,0100)", a.bits_allocated, b.bits_allocated),
            ("BitsStored (0028,0101)", a.bits_stored, b.bits_stored),
            ("HighBit (0028,0102)", a.high_bit, b.high_bit),
            ("PixelRepresentation (0028,0103)", int(a.signed), int(b.signed)),
            ("PhotometricInterpretation (0028,0004)", a.photometric, b.photometric),
        ]
    name, value, others = next(pair for pair in pairs if pair[1] != pair[2])
    return f"{name} is {_shown(value)}, {_shown(others)} in the others"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _misfit(plane: Plane, words: str) -> SeriesError:
    msg = f"{words}, and its values leap from those of the slices beside it"
    return SeriesError(Reason.HU_UNKNOWN, msg, path=str(plane.instance.source))


def _fitting(words: Sequence[str]) -> tuple[Notice, ...]:
    """One notice on all slices whose own header is right, with the first difference."""
    if not words:
        return ()
    message = (
        f"In {len(words)} slice(s) the pixel format is another, the first: {words[0]}; each was "
        "read by its own header, and the values fit the slices beside them"
    )
    return (Notice(NoticeCode.HEADER_CONFLICT, message, {"slices": len(words)}),)
