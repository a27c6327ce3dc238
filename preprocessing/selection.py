"""Chooses the one series of a study that is analysed, and says why each other one is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.quality.kernels import is_sharp_kernel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hounsfield.preprocessing.series import Series

KernelChoice = Literal["soft", "lung", "any"]

ENOUGH_OF_LONGEST: Final = 0.8
"""A series that covers this much of what the study's longest covers is long enough: a thin
series often ends a little before the thick one."""
THICKNESS_STEPS_MM: Final = (1.5, 2.5, 3.5)
"""Series within one step count as equally thin, and the kernel decides."""


class Ranked(NamedTuple):
    """A series of a study with the reason why it is not the one to analyse; None if it is."""

    series: Series
    rejection: SeriesError | None


def rank_series(
    series_of_study: Sequence[Series], *, kernel: KernelChoice = "soft"
) -> list[Ranked]:
    """Puts the series of one study in the order in which they should be tried.

    First come those that can be analysed: the best without a rejection, the others with
    `better_series_chosen`; if the best fails when its pixels are read, the next may be tried.
    Those that cannot be analysed follow with their own rejections. Best is: axial and original,
    long enough, thin, of the wanted kernel, never compressed with loss; in this order.

    Args:
        series_of_study: All series with one study_uid.
        kernel: Which reconstruction kernel is wanted where there is a choice.
    """
    usable = [series for series in series_of_study if series.rejection is None]
    left_out = [Ranked(series, series.rejection) for series in series_of_study if series.rejection]
    longest_mm = max(map(_length_mm, usable), default=0.0)
    ranked = sorted(
        usable,
        key=lambda one: (
            *(value for _, value in _merits(one, kernel, longest_mm)),
            _thickness_mm(one),
            -_length_mm(one),
            one.facts.series_number or 0,
            one.facts.series_uid,
        ),
    )
    result = [Ranked(series, None) for series in ranked[:1]]
    for series in ranked[1:]:
        error = SeriesError(
            Reason.BETTER_SERIES_CHOSEN, _why_not(series, ranked[0], kernel, longest_mm)
        )
        result.append(Ranked(series, error))
    return result + left_out


def by_study(series: Iterable[Series]) -> dict[str, list[Series]]:
    """Groups series by study, in the order in which they come."""
    studies: dict[str, list[Series]] = {}
    for one in series:
        studies.setdefault(one.facts.study_uid, []).append(one)
    return studies


def _merits(series: Series, kernel: KernelChoice, longest_mm: float) -> list[tuple[str, int]]:
    """What decides, most weighty first: what the better series has, and a value, low is good."""
    thickness_mm = _thickness_mm(series)
    sharp = is_sharp_kernel(series.facts.manufacturer, series.facts.convolution_kernel)
    wrong_kernel = kernel != "any" and sharp is not None and sharp != (kernel == "lung")
    return [
        ("is axial", series.orientation != "axial"),
        ("covers more of the patient", _length_mm(series) < ENOUGH_OF_LONGEST * longest_mm),
        ("is an original reconstruction", series.facts.image_type[:1] == ("DERIVED",)),
        ("has thinner slices", sum(thickness_mm > step for step in THICKNESS_STEPS_MM)),
        (f"has the wanted {kernel} kernel", wrong_kernel),
        ("was never compressed with loss", series.facts.lossy),
    ]


def _why_not(series: Series, best: Series, kernel: KernelChoice, longest_mm: float) -> str:
    """The first merit in which the best is better, in a sentence."""
    pairs = zip(_merits(series, kernel, longest_mm), _merits(best, kernel, longest_mm), strict=True)
    advantage = next((name for (name, own), (_, its) in pairs if its < own), "")
    if advantage in {"", "has thinner slices"}:
        own_mm, its_mm = _thickness_mm(series), _thickness_mm(best)
        equal = f"is as good and comes first ({its_mm:g} mm slices, as here)"
        thinner = f"has thinner slices ({its_mm:g} mm, here {own_mm:g} mm)"
        advantage = thinner if its_mm < own_mm else advantage or equal
    return f"{_name(best)} of the same study {advantage}; one series of a study is analysed"


def _thickness_mm(series: Series) -> float:
    """What a slice averages over, or its distance where that is larger or thickness is untold."""
    distance_mm = series.spacing_mm[2] if series.spacing_mm else 0.0
    return max(distance_mm, series.facts.slice_thickness_mm or 0.0)


def _length_mm(series: Series) -> float:
    """How much of the patient the stack covers along its normal."""
    if series.shape_zyx is None or series.spacing_mm is None:
        return 0.0
    return series.shape_zyx[0] * series.spacing_mm[2]


def _name(series: Series) -> str:
    facts = series.facts
    number = "" if facts.series_number is None else f" {facts.series_number}"
    words = " ".join(filter(None, [facts.series_description, facts.convolution_kernel]))
    return f"series{number} '{words}'" if words else f"series{number or ' ' + facts.series_uid}"
