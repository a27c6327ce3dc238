"""A grey picture with the marks a reader looks for: rings, letters of direction, a scale bar."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
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
_BAR_PX, _BAR_SHEET_PX = 320, 28
"""Width of a colour bar, and height of the strip in which it stands."""


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
        layer: uint8, ``[row, column, 4]``, RGBA: colours laid over the grey; None for none.
    """

    grey: NDArray[np.uint8]
    mm_per_px: float
    title: str
    edges: Edges
    rings: tuple[Ring, ...] = field(default=())
    outlined: NDArray[np.bool_] | None = None
    layer: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class ColourBar:
    """What the colours of a layer mean; it stands below the panels.

    Attributes:
        colours: uint8, ``[steps, 4]``, RGBA, from the lowest value to the highest.
        labels: Beside the lowest value and beside the highest.
    """

    colours: NDArray[np.uint8]
    labels: tuple[str, str]


def png(panels: Sequence[Panel], *, bar: ColourBar | None = None, gap_px: int = 6) -> bytes:
    """Draws panels of any size side by side, centred in height, as the bytes of a PNG file."""
    drawn = [_drawn(panel) for panel in panels]
    width = sum(image.width for image in drawn) + gap_px * (len(drawn) - 1)
    height = max(image.height for image in drawn)
    sheet = Image.new("RGB", (width, height + (_BAR_SHEET_PX if bar else 0)), (0, 0, 0))
    column = 0
    for image in drawn:
        sheet.paste(image, (column, (height - image.height) // 2))
        column += image.width + gap_px
    if bar is not None:
        sheet.paste(_drawn_bar(bar, width), (0, height))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", compress_level=2)
    return stream.getvalue()


def _drawn(panel: Panel) -> Image.Image:
    base = Image.fromarray(panel.grey).convert("RGB")
    if panel.layer is not None:
        layer = Image.fromarray(panel.layer)
        base.paste(layer, mask=layer.getchannel("A"))
    if panel.outlined is not None:
        edge = panel.outlined & ~binary_erosion(panel.outlined)
        base.paste(OUTLINE_COLOUR, mask=Image.fromarray(edge))
    marks = _marks(base.size, panel.mm_per_px, panel.title, panel.edges, panel.rings)
    base.paste(marks, mask=marks.getchannel("A"))
    return base


# A finding's three panels are drawn twice, plain and with a layer; the marks are half of the time.
# Several findings are drawn side by side.
@lru_cache(maxsize=16)
def _marks(
    size_px: tuple[int, int], mm_per_px: float, title: str, edges: Edges, rings: tuple[Ring, ...]
) -> Image.Image:
    size = (size_px[0] * _FINE, size_px[1] * _FINE)
    marks = Image.new("RGBA", size, (*MARK_COLOUR, 0))
    draw = ImageDraw.Draw(marks)
    font = ImageFont.load_default(_FONT_PX * _FINE)
    for ring in rings:
        _draw_ring(draw, ring, size, font)
    _draw_text(draw, title, edges, size, font)
    _draw_scale_bar(draw, mm_per_px, size, font)
    return marks.resize(size_px, Image.Resampling.BOX)


def _drawn_bar(bar: ColourBar, width_px: int) -> Image.Image:
    """The colours over the middle grey, the highest value on the right, between the labels."""
    left, right = (width_px - _BAR_PX) // 2, (width_px + _BAR_PX) // 2
    top, bottom = _MARGIN_PX, _BAR_SHEET_PX - _MARGIN_PX
    image = Image.new("RGB", (width_px, _BAR_SHEET_PX), (0, 0, 0))
    image.paste((128, 128, 128), (left, top, right, bottom))
    colours = Image.fromarray(bar.colours[None]).resize((right - left, bottom - top))
    image.paste(colours, (left, top), mask=colours.getchannel("A"))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(_FONT_PX)
    ends = (left - _MARGIN_PX, right + _MARGIN_PX)
    for text, column, anchor in zip(bar.labels, ends, ("rm", "lm"), strict=True):
        place = (column, _BAR_SHEET_PX / 2)
        draw.text(place, text, fill=TEXT_COLOUR, font=font, anchor=anchor)
    return image


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


def _draw_text(
    draw: ImageDraw.ImageDraw, title: str, edges: Edges, size: tuple[int, int], font: _Font
) -> None:
    width, height = size
    margin = _MARGIN_PX * _FINE
    places = (
        (title, (margin, margin), "lt"),
        (edges.left, (margin, height / 2), "lm"),
        (edges.right, (width - margin, height / 2), "rm"),
        (edges.top, (width / 2, margin), "mt"),
        (edges.bottom, (width / 2, height - margin), "mb"),
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
    draw: ImageDraw.ImageDraw, mm_per_px: float, size: tuple[int, int], font: _Font
) -> None:
    """A bar of a round length, about a fifth of the picture, at the bottom right."""
    width_mm = size[0] / _FINE * mm_per_px
    length_mm = max(step for step in (1, 2, 5, 10, 20, 50, 100) if step <= max(width_mm / 4, 1))
    length = length_mm / mm_per_px * _FINE
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
