"""Renders an evaluation's one HTML page; plots stand in it, so that the file can travel alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SVG = re.compile(r"<svg.*</svg>", re.DOTALL)


def rendered_page(template: str, *, svg: bytes, values: Mapping[str, object]) -> str:
    """Renders a template of this package.

    Args:
        template: Its file name in ``templates``.
        svg: A plot, to stand inline as ``plot``.
        values: What else the template names.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("hounsfield.pipeline.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["figure"] = lambda value: "\N{EN DASH}" if value is None else f"{value:.3f}"
    environment.filters["pair"] = _pair
    drawing = _SVG.search(svg.decode("utf-8"))
    plot = drawing.group(0) if drawing else ""
    return environment.get_template(template).render(plot=plot, **values)


def _pair(pair: tuple[float | None, float | None]) -> str:
    low, high = pair
    return "\N{EN DASH}" if low is None or high is None else f"{low:.3f} to {high:.3f}"
