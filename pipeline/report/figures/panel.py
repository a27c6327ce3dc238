"""Draw panels, grey pictures with annotations, side by side into one PNG file."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_erosion

from hounsfield.pipeline.report.figures.annotations import (
    FONT_PX,
    MARGIN_PX,
    TEXT_COLOUR,
    Edges,
    Ring,
    annotation_layer,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

_OUTLINE_COLOUR = (92, 200, 255)
_COLOUR_BAR_PX, _COLOUR_BAR_STRIP_PX = 320, 28
"""Width of a colour bar, and height of the strip that holds it."""


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture and what is drawn on it.

    Attributes:
        grey: uint8, ``[row, column]``; pixels are square.
        mm_per_px: Size of a pixel in mm.
        title: Text at the top left.
        edges: The patient's directions at the four sides.
        rings: Circles around findings.
        outlined: bool, ``[row, column]``: an area whose edge is drawn; None for none.
        layer: uint8, ``[row, column, 4]``, RGBA: colours over the grey; None for none.
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
    """The meaning of a layer's colours, shown below the panels.

    Attributes:
        colours: uint8, ``[steps, 4]``, RGBA, from the lowest value to the highest.
        labels: Text beside the lowest value and beside the highest.
    """

    colours: NDArray[np.uint8]
    labels: tuple[str, str]


def png(panels: Sequence[Panel], *, bar: ColourBar | None = None, gap_px: int = 6) -> bytes:
    """Draw panels side by side; smaller ones are centred in height.

    Args:
        panels: From left to right; they may differ in size.
        bar: Explains the colours of the panels' layers, below them.
        gap_px: Black columns between two panels.

    Returns:
        The bytes of a PNG file.
    """
    images = [_render(panel) for panel in panels]
    width = sum(image.width for image in images) + gap_px * (len(images) - 1)
    height = max(image.height for image in images)
    sheet = Image.new("RGB", (width, height + (_COLOUR_BAR_STRIP_PX if bar else 0)), (0, 0, 0))
    column = 0
    for image in images:
        sheet.paste(image, (column, (height - image.height) // 2))
        column += image.width + gap_px
    if bar is not None:
        sheet.paste(_render_bar(bar, width), (0, height))
    stream = io.BytesIO()
    sheet.save(stream, format="PNG", compress_level=2)
    return stream.getvalue()


def _render(panel: Panel) -> Image.Image:
    image = Image.fromarray(panel.grey).convert("RGB")
    if panel.layer is not None:
        layer = Image.fromarray(panel.layer)
        image.paste(layer, mask=layer.getchannel("A"))
    if panel.outlined is not None:
        edge = panel.outlined & ~binary_erosion(panel.outlined)
        image.paste(_OUTLINE_COLOUR, mask=Image.fromarray(edge))
    layer = annotation_layer(image.size, panel.mm_per_px, panel.title, panel.edges, panel.rings)
    image.paste(layer, mask=layer.getchannel("A"))
    return image


def _render_bar(bar: ColourBar, width_px: int) -> Image.Image:
    """The colours over the middle grey, the highest value on the right, between the labels."""
    left, right = (width_px - _COLOUR_BAR_PX) // 2, (width_px + _COLOUR_BAR_PX) // 2
    top, bottom = MARGIN_PX, _COLOUR_BAR_STRIP_PX - MARGIN_PX
    image = Image.new("RGB", (width_px, _COLOUR_BAR_STRIP_PX), (0, 0, 0))
    image.paste((128, 128, 128), (left, top, right, bottom))
    colours = Image.fromarray(bar.colours[None]).resize((right - left, bottom - top))
    image.paste(colours, (left, top), mask=colours.getchannel("A"))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT_PX)
    ends = (left - MARGIN_PX, right + MARGIN_PX)
    for text, column, anchor in zip(bar.labels, ends, ("rm", "lm"), strict=True):
        place = (column, _COLOUR_BAR_STRIP_PX / 2)
        draw.text(place, text, fill=TEXT_COLOUR, font=font, anchor=anchor)
    return image
