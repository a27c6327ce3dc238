"""Annotations over a panel: rings with labels, letters of direction, title and scale bar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from hounsfield.pipeline.report.figures.label_placement import Box, PlacedLabel, place_labels

FONT_PX = 13
MARGIN_PX = 7
TEXT_COLOUR = (214, 222, 230)

_RING_COLOUR = (255, 194, 71)
_BLACK = (0, 0, 0, 255)
_FINE = 3
"""Annotations are drawn this many times larger and then reduced, which smooths their edges."""
_CROSS_PX = 14
_SCALE_BAR_PX = 2
_SCALE_BAR_LENGTHS_MM = (1, 2, 5, 10, 20, 50, 100)
_Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Edges:
    """The patient's directions at the picture's edges: R L, A P, H F."""

    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle around a finding: its inside stays free, so that the finding itself is seen.

    Attributes:
        centre_px: (column, row) in pixels.
        radius_px: Radius in pixels.
        label: Text beside the ring; empty for none.
        cross: Whether short lines point at the ring from four sides.
    """

    centre_px: tuple[float, float]
    radius_px: float
    label: str = ""
    cross: bool = False


# The three panels of a finding are drawn twice, plain and with an activation map, and annotations
# take half of the time. Several findings are drawn side by side.
@lru_cache(maxsize=16)
def annotation_layer(
    size_px: tuple[int, int], mm_per_px: float, title: str, edges: Edges, rings: tuple[Ring, ...]
) -> Image.Image:
    """Draw the annotations of a panel on a transparent picture.

    The labels of rings cover neither one another nor the other texts (`place_labels`).

    Args:
        size_px: (width, height) of the panel in pixels.
        mm_per_px: Size of a pixel, for the scale bar.
        title: Text at the top left.
        edges: Letters in the middle of the four sides.
        rings: Circles to draw; earlier ones choose the places of their labels first.

    Returns:
        An RGBA picture of the panel's size. It is cached: do not draw on it.
    """
    sheet = _Sheet(size_px)
    for ring in rings:
        sheet.draw_ring(ring)
    texts = sheet.draw_texts(title, edges)
    scale_bar = sheet.draw_scale_bar(mm_per_px)
    sheet.draw_labels([ring for ring in rings if ring.label], reserved=(*texts, scale_bar))
    return sheet.image.resize(size_px, Image.Resampling.BOX)


class _Sheet:
    """A transparent picture, `_FINE` times larger than the panel; arguments are panel pixels."""

    def __init__(self, size_px: tuple[int, int]) -> None:
        self._width_px, self._height_px = size_px
        size = (self._width_px * _FINE, self._height_px * _FINE)
        self.image = Image.new("RGBA", size, (*_RING_COLOUR, 0))
        self._draw = ImageDraw.Draw(self.image)
        self._font: _Font = ImageFont.load_default(FONT_PX * _FINE)

    def draw_ring(self, ring: Ring) -> None:
        column, row = (value + 0.5 for value in ring.centre_px)
        radius = ring.radius_px
        box = (column - radius, row - radius, column + radius, row + radius)
        colour, width = (*_RING_COLOUR, 255), round(1.2 * _FINE)
        self._draw.ellipse(_fine(box), outline=colour, width=width)
        if ring.cross:
            reach = radius + _CROSS_PX
            for sign in (-1, 1):
                along = (column + sign * radius, row, column + sign * reach, row)
                down = (column, row + sign * radius, column, row + sign * reach)
                self._draw.line(_fine(along), colour, width)
                self._draw.line(_fine(down), colour, width)

    def draw_labels(self, rings: list[Ring], *, reserved: tuple[Box, ...]) -> None:
        centres = [(ring.centre_px[0] + 0.5, ring.centre_px[1] + 0.5) for ring in rings]
        placed = place_labels(
            [(*centre, ring.radius_px) for centre, ring in zip(centres, rings, strict=True)],
            [self._size_of(ring.label) for ring in rings],
            (self._width_px, self._height_px),
            reserved=reserved,
        )
        for label in placed:
            if label is not None and label.leader is not None:
                self._draw.line(_fine(label.leader), _BLACK, 3 * _FINE)
        for label in placed:
            if label is not None and label.leader is not None:
                self._draw.line(_fine(label.leader), (*_RING_COLOUR, 255), _FINE)
        for ring, label in zip(rings, placed, strict=True):
            if label is not None:
                self._draw_label(ring.label, label)

    def draw_texts(self, title: str, edges: Edges) -> list[Box]:
        """Draw title and letters; returns their boxes."""
        width, height, margin = self._width_px, self._height_px, MARGIN_PX
        places = (
            (title, (margin, margin), "lt"),
            (edges.left, (margin, height / 2), "lm"),
            (edges.right, (width - margin, height / 2), "rm"),
            (edges.top, (width / 2, margin), "mt"),
            (edges.bottom, (width / 2, height - margin), "mb"),
        )
        return [self._text(text, place, anchor) for text, place, anchor in places]

    def draw_scale_bar(self, mm_per_px: float) -> Box:
        """Draw a bar of a round length, at most a quarter of the panel, at the bottom right."""
        longest_mm = max(self._width_px * mm_per_px / 4, 1)
        length_mm = max(step for step in _SCALE_BAR_LENGTHS_MM if step <= longest_mm)
        right, bottom = self._width_px - MARGIN_PX, self._height_px - MARGIN_PX
        left, top = right - length_mm / mm_per_px, bottom - _SCALE_BAR_PX
        self._draw.rectangle(_fine((left - 1, top - 1, right + 1, bottom + 1)), fill=_BLACK)
        self._draw.rectangle(_fine((left, top, right, bottom)), fill=(*TEXT_COLOUR, 255))
        text = self._text(f"{length_mm} mm", (right, top - 4), "rb")
        return (min(left - 1, text[0]), text[1], right + 1, bottom + 1)

    def _text(self, text: str, place: tuple[float, float], anchor: str) -> Box:
        """Write text with a black edge; returns its box."""
        at = (place[0] * _FINE, place[1] * _FINE)
        self._draw.text(
            at,
            text,
            fill=(*TEXT_COLOUR, 255),
            font=self._font,
            anchor=anchor,
            stroke_width=_FINE,
            stroke_fill=_BLACK,
        )
        left, top, right, bottom = self._draw.textbbox(
            at, text, font=self._font, anchor=anchor, stroke_width=_FINE
        )
        return left / _FINE, top / _FINE, right / _FINE, bottom / _FINE

    def _size_of(self, text: str) -> tuple[float, float]:
        """(width, height) of a label with its black edge."""
        left, top, right, bottom = self._draw.textbbox(
            (0, 0), text, font=self._font, anchor="lt", stroke_width=_FINE
        )
        return (right - left) / _FINE, (bottom - top) / _FINE

    def _draw_label(self, text: str, label: PlacedLabel) -> None:
        left, top, *_ = self._draw.textbbox(
            (0, 0), text, font=self._font, anchor="lt", stroke_width=_FINE
        )
        self._draw.text(
            (label.box[0] * _FINE - left, label.box[1] * _FINE - top),
            text,
            fill=(*_RING_COLOUR, 255),
            font=self._font,
            anchor="lt",
            stroke_width=_FINE,
            stroke_fill=_BLACK,
        )


def _fine(values: Box) -> Box:
    first, second, third, fourth = values
    return first * _FINE, second * _FINE, third * _FINE, fourth * _FINE
