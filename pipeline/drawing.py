"""A grey picture with the marks a reader looks for: rings, letters of direction, a scale bar."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_erosion

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
MARK_COLOUR = (255, 194, 71)
OUTLINE_COLOUR = (92, 200, 255)
TEXT_COLOUR = (214, 222, 230)
_FINE = 3
"""Marks are drawn so many times larger and then reduced, which smooths their edges."""
_FONT_PX = 13
_MARGIN_PX = 7


@dataclass(frozen=True, slots=True)
class Edges:
    """The patient's directions at the picture's edges: R L, A P, H F."""

    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True, slots=True)
class Ring:
    """A mark around a place: the inside stays free, so that the place itself can be seen.

    Attributes:
        centre_px: (column, row) in pixels.
        radius_px: Of the ring, in pixels.
        label: Written beside it.
        cross: Whether lines lead from the picture's edges towards the ring.
    """

    centre_px: tuple[float, float]
    radius_px: float
    label: str = ""
    cross: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture and what is to be drawn on it.

    Attributes:
        grey: uint8, ``[row, column]``; pixels are square.
        mm_per_px: Size of a pixel.
        title: Written at the top left.
        edges: The patient's directions.
        rings: Places that are marked.
        outlined: bool, of the same shape: an area whose edge is drawn; None for none.
    """

    grey: NDArray[np.uint8]
    mm_per_px: float
    title: str
    edges: Edges
    rings: tuple[Ring, ...] = field(default=())
    outlined: NDArray[np.bool_] | None = None


def png(panels: Sequence[Panel], *, gap_px: int = 6) -> bytes:
    """Draws panels of any size side by side, top edges aligned, as the bytes of a PNG file."""
    drawn = [_drawn(panel) for panel in panels]
    width = sum(image.width for image in drawn) + gap_px * (len(drawn) - 1)
    sheet = Image.new("RGB", (width, max(image.height for image in drawn)), (0, 0, 0))
    column = 0
    for image in drawn:
        sheet.paste(image, (column, (sheet.height - image.height) // 2))
        column += image.width + gap_px
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", compress_level=4)
    return stream.getvalue()


def _drawn(panel: Panel) -> Image.Image:
    base = Image.fromarray(panel.grey).convert("RGB")
    if panel.outlined is not None:
        edge = panel.outlined & ~binary_erosion(panel.outlined)
        base.paste(OUTLINE_COLOUR, mask=Image.fromarray(edge))
    size = (base.width * _FINE, base.height * _FINE)
    marks = Image.new("RGBA", size, (*MARK_COLOUR, 0))
    draw = ImageDraw.Draw(marks)
    font = ImageFont.load_default(_FONT_PX * _FINE)
    for ring in panel.rings:
        _draw_ring(draw, ring, size, font)
    _draw_text(draw, panel, size, font)
    _draw_scale_bar(draw, panel, size, font)
    marks = marks.resize(base.size, Image.Resampling.BOX)
    base.paste(marks, mask=marks.getchannel("A"))
    return base


def _draw_ring(draw: ImageDraw.ImageDraw, ring: Ring, size: tuple[int, int], font: _Font) -> None:
    column, row = ((value + 0.5) * _FINE for value in ring.centre_px)
    radius = ring.radius_px * _FINE
    colour, width = (*MARK_COLOUR, 255), round(1.2 * _FINE)
    box = (column - radius, row - radius, column + radius, row + radius)
    draw.ellipse(box, outline=colour, width=width)
    if ring.cross:
        reach = radius + 14 * _FINE
        for step in (-1, 1):
            draw.line((column + step * radius, row, column + step * reach, row), colour, width)
            draw.line((column, row + step * radius, column, row + step * reach), colour, width)
    if ring.label:
        offset = 0.72 * radius + 2 * _FINE
        right = column + offset + 14 * _FINE < size[0]
        draw.text(
            (column + (offset if right else -offset), row - offset),
            ring.label,
            fill=colour,
            font=font,
            anchor="lb" if right else "rb",
            stroke_width=_FINE,
            stroke_fill=(0, 0, 0, 255),
        )


def _draw_text(draw: ImageDraw.ImageDraw, panel: Panel, size: tuple[int, int], font: _Font) -> None:
    width, height = size
    margin = _MARGIN_PX * _FINE
    places = (
        (panel.title, (margin, margin), "lt"),
        (panel.edges.left, (margin, height / 2), "lm"),
        (panel.edges.right, (width - margin, height / 2), "rm"),
        (panel.edges.top, (width / 2, margin), "mt"),
        (panel.edges.bottom, (width / 2, height - margin), "mb"),
    )
    for text, place, anchor in places:
        draw.text(
            place,
            text,
            fill=(*TEXT_COLOUR, 255),
            font=font,
            anchor=anchor,
            stroke_width=_FINE,
            stroke_fill=(0, 0, 0, 255),
        )


def _draw_scale_bar(
    draw: ImageDraw.ImageDraw, panel: Panel, size: tuple[int, int], font: _Font
) -> None:
    """A bar of a round length, about a fifth of the picture, at the bottom right."""
    width_mm = size[0] / _FINE * panel.mm_per_px
    length_mm = max(step for step in (1, 2, 5, 10, 20, 50, 100) if step <= max(width_mm / 4, 1))
    length = length_mm / panel.mm_per_px * _FINE
    right, bottom = size[0] - _MARGIN_PX * _FINE, size[1] - _MARGIN_PX * _FINE
    outline = _FINE
    thickness = 2 * _FINE
    bar = (right - length, bottom - thickness, right, bottom)
    around = (bar[0] - outline, bar[1] - outline, bar[2] + outline, bar[3] + outline)
    draw.rectangle(around, fill=(0, 0, 0, 255))
    draw.rectangle(bar, fill=(*TEXT_COLOUR, 255))
    draw.text(
        (right, bottom - thickness - 4 * _FINE),
        f"{length_mm} mm",
        fill=(*TEXT_COLOUR, 255),
        font=font,
        anchor="rb",
        stroke_width=_FINE,
        stroke_fill=(0, 0, 0, 255),
    )
