"""Chooses the series of a study to analyse, and states why each other one is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.coverage import coverage, length_mm
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.extent import exceeds
from hounsfield.preprocessing.quality.kernels import is_sharp_kernel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from hounsfield.preprocessing.series import Series

KernelChoice = Literal["soft", "lung", "any"]

ENOUGH_OF_BEST: Final = 0.8
"""Fraction of the best coverage in the study that is enough: a thin series often ends a little
before the thick one."""
THICKNESS_STEPS_MM: Final = (1.5, 2.5, 3.5)
"""Series within one step count as equally thin, and the kernel decides."""


class Ranked(NamedTuple):
    """A series of a study with the reason why it is not the one to analyse; None if it is."""

    series: Series
    rejection: SeriesError | None


def rank_series(
    series_of_study: Sequence[Series], *, kernel: KernelChoice = "soft"
) -> list[Ranked]:
    """Sorts the series of one study in the order in which they should be tried.

    Those that can be analysed come first: the best without a rejection, the others with
    `better_series_chosen`; if the best fails when its pixels are read, the next may be tried.
    Those that cannot be analysed follow with their own rejections. The criteria are, in this
    order: axial, enough of the lungs, an original reconstruction, thin, the preferred kernel, never
    compressed with loss.

    Args:
        series_of_study: All series with one StudyInstanceUID.
        kernel: The kind of reconstruction kernel to prefer if there is a choice.

    Returns:
        Every series once.
    """
    usable = [series for series in series_of_study if series.rejection is None]
    rejected = [Ranked(series, series.rejection) for series in series_of_study if series.rejection]
    covered = dict(zip(map(id, usable), coverage(usable), strict=True))
    enough = ENOUGH_OF_BEST * max(covered.values(), default=0.0)
    covers_less = {key for key, fraction in covered.items() if fraction < enough}
    ranked = sorted(
        usable,
        key=lambda series: (
            *(value for _, value in _criteria(series, kernel, covers_less)),
            _thickness_mm(series),
            -length_mm(series),
            series.facts.series_number or 0,
            series.facts.series_uid,
        ),
    )
    result = [Ranked(series, None) for series in ranked[:1]]
    for series in ranked[1:]:
        msg = _comparison(series, ranked[0], kernel, covers_less)
        result.append(Ranked(series, SeriesError(Reason.BETTER_SERIES_CHOSEN, msg)))
    return result + rejected


def by_study(series: Iterable[Series]) -> dict[tuple[str, int], list[Series]]:
    """Returns the series of each study, in the order of their first series.

    A study is one patient's: where two bear one StudyInstanceUID, each has a study of their own.

    Args:
        series: Series of any number of studies, from one search.

    Returns:
        The series by StudyInstanceUID and `Series.patient`.
    """
    studies: dict[tuple[str, int], list[Series]] = {}
    for member in series:
        studies.setdefault((member.facts.study_uid, member.patient), []).append(member)
    return studies


def _criteria(
    series: Series, kernel: KernelChoice, covers_less: Collection[int]
) -> list[tuple[str, int]]:
    """The criteria in order: the advantage of a better series, and a value that it has lower."""
    thickness_mm = _thickness_mm(series)
    sharp = is_sharp_kernel(series.facts.manufacturer, series.facts.convolution_kernel)
    wrong_kernel = kernel != "any" and sharp is not None and sharp != (kernel == "lung")
    return [
        ("is axial", series.orientation != "axial"),
        ("covers more of the lungs", id(series) in covers_less),
        ("is an original reconstruction", series.facts.image_type[:1] == ("DERIVED",)),
        ("has thinner slices", sum(exceeds(thickness_mm, step) for step in THICKNESS_STEPS_MM)),
        (f"has the preferred {kernel} kernel", wrong_kernel),
        ("was never compressed with loss", series.facts.lossy),
    ]


def _comparison(
    series: Series, best: Series, kernel: KernelChoice, covers_less: Collection[int]
) -> str:
    """The first criterion by which the best is better, in a sentence."""
    pairs = zip(
        _criteria(series, kernel, covers_less), _criteria(best, kernel, covers_less), strict=True
    )
    advantage = next((name for (name, here), (_, there) in pairs if there < here), "")
    if advantage in {"", "has thinner slices"}:
        here_mm, best_mm = _thickness_mm(series), _thickness_mm(best)
        equal = f"is as good and comes first ({best_mm:g} mm slices, as here)"
        thinner = f"has thinner slices ({best_mm:g} mm, here {here_mm:g} mm)"
        advantage = thinner if best_mm < here_mm else advantage or equal
    return f"{_name(best)} of the same study {advantage}; one series of a study is analysed"


def _thickness_mm(series: Series) -> float:
    """Slice thickness, or the distance of the slices if that is larger or the thickness unknown.

    Rounded to 0.05 mm: a distance is fitted to positions, and 2.5000000000012665 mm is 2.5 mm.
    """
    distance_mm = series.spacing_mm[2] if series.spacing_mm else 0.0
    thickness_mm = max(distance_mm, series.facts.slice_thickness_mm or 0.0)
    return round(round(thickness_mm / 0.05) * 0.05, 2)


def _name(series: Series) -> str:
    facts = series.facts
    number = "" if facts.series_number is None else f" {facts.series_number}"
    words = " ".join(filter(None, [facts.series_description, facts.convolution_kernel]))
    return f"series{number} '{words}'" if words else f"series{number or ' ' + facts.series_uid}"
