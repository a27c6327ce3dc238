"""Render the HTML pages: one jinja environment for reports, the index and evaluations."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from hounsfield.preprocessing.printable import printable_text

EN_DASH = "\N{EN DASH}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

_BREAKS_NUMBER = re.compile(
    r"(?<=\d) (?=(?:mm|HU|kV|MB|days?|months?|years?|to)\b|%)|(?<=\bto) (?=\d)"
)


def render_template(template: str, **values: Any) -> str:  # noqa: ANN401 - a template takes anything
    """Render a template to HTML; text from headers is escaped.

    Args:
        template: Path below `hounsfield.pipeline`, such as
            ``report/templates/report.html.jinja``. Templates include and extend one another by
            such paths too.
        values: Variables of the template, by name; a missing one is an error, not an empty string.

    Returns:
        The page as text, to be written as UTF-8.
    """
    return environment().get_template(template).render(**values)


@cache
def environment() -> Environment:
    """Build the environment once in a process; it keeps each compiled template.

    Returns:
        The environment, with the filters ``words``, ``unbroken``, ``date``, ``figure``, ``pair``.
    """
    made = Environment(
        loader=PackageLoader("hounsfield.pipeline", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        words=_words, unbroken=_unbroken, date=_date, figure=_figure, pair=_interval
    )
    return made


def _printable(value: object) -> object:
    """Text with control characters as escapes; finished HTML, such as a plot, as it is."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable_text(value)
    return value


def _words(code: str) -> str:
    """``part_solid`` as ``part solid``."""
    return code.replace("_", " ")


def _unbroken(text: str) -> str:
    """Keep a number and its unit, and both ends of a range, on one line."""
    return _BREAKS_NUMBER.sub(NO_BREAK_SPACE, text)


def _date(dicom_date: str) -> str:
    """20000131 as 2000-01-31; anything else unchanged."""
    if len(dicom_date) != 8 or not dicom_date.isdigit():
        return dicom_date
    return f"{dicom_date[:4]}-{dicom_date[4:6]}-{dicom_date[6:]}"


def _figure(value: float | None) -> str:
    """Three decimals; a dash for a figure that could not be computed."""
    return EN_DASH if value is None else f"{value:.3f}"


def _interval(limits: tuple[float | None, float | None]) -> str:
    """``0.812 to 0.934``; a dash where a limit is missing."""
    low, high = limits
    return EN_DASH if low is None or high is None else f"{low:.3f} to {high:.3f}"
