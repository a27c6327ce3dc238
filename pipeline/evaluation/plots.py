"""Plots of an evaluation as PNG and SVG. Matplotlib is imported when the first is drawn."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.luna16.froc import RATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.document import Curve
    from hounsfield.pipeline.evaluation.schema import ReliabilityBin

_COLOURS = ("#0b5cad", "#c2570c")


def froc_plot(curves: Sequence[Curve], rates: NDArray[np.float64]) -> Figure:
    """Draws FROC curves over a logarithmic rate, with the interval band of those that have one.

    Args:
        curves: One or two curves.
        rates: (rates,) false positives per scan at which the curves are sampled.

    Returns:
        The figure, 7.2 by 4.6 inches.
    """
    figure, axes = _figure(7.2, 4.6)
    for curve, colour in zip(curves, _COLOURS, strict=False):
        axes.plot(rates, curve.sensitivity, color=colour, lw=1.8, label=curve.name)
        if curve.interval_95 is not None:
            low, high = curve.interval_95.T
            axes.fill_between(
                rates, low, high, color=colour, alpha=0.16, lw=0, label="95 % (scan bootstrap)"
            )
    axes.set_xscale("log", base=2)
    axes.set_xticks(RATES, [f"{rate:g}" for rate in RATES])
    axes.set_xlim(RATES[0], RATES[-1])
    axes.set_ylim(0, 1.01)
    axes.set_yticks([i / 10 for i in range(11)])
    axes.set_xlabel("False positives per scan")
    axes.set_ylabel("Sensitivity")
    axes.legend(loc="lower right", frameon=False)
    return figure


def reliability_plot(bins: Sequence[ReliabilityBin]) -> Figure:
    """Draws accuracy over mean confidence, with a point and an interval for each bin.

    Args:
        bins: Reliability bins; empty ones are left out.

    Returns:
        The figure, 4.8 by 4.6 inches.
    """
    figure, axes = _figure(4.8, 4.6)
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="calibrated")
    filled = [bin_ for bin_ in bins if bin_.cases]
    confidence = np.array([bin_.mean_confidence for bin_ in filled], np.float64)
    accuracy = np.array([bin_.accuracy for bin_ in filled], np.float64)
    ends = np.array([bin_.interval_95 for bin_ in filled], np.float64).reshape(-1, 2)
    cases = np.array([bin_.cases for bin_ in filled], np.float64)
    axes.vlines(confidence, ends[:, 0], ends[:, 1], color=_COLOURS[0], lw=1.4, alpha=0.5)
    area = 18 + 90 * cases / cases.max(initial=1)
    axes.scatter(
        confidence, accuracy, s=area, color=_COLOURS[0], label="bins (area: cases), 95 %", zorder=3
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Largest class probability")
    axes.set_ylabel("Accuracy")
    axes.legend(loc="upper left", frameon=False)
    return figure


def confusion_plot(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Draws a confusion matrix, each cell shaded by its fraction of the row.

    Args:
        matrix: Counts; rows are true classes, columns predicted ones.
        names: Names of the classes, in the order of the matrix.

    Returns:
        The figure, 5.4 by 4.6 inches.
    """
    figure, axes = _figure(5.4, 4.6)
    counts = np.array(matrix, np.float64)
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.grid(visible=False)
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    for (row, column), fraction in np.ndenumerate(fractions):
        axes.text(
            column,
            row,
            f"{counts[row, column]:g}\n{fraction:.0%}",
            ha="center",
            va="center",
            color="white" if fraction > 0.6 else "black",
        )
    labels = [name.replace("_cell_carcinoma", " cell").replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=20)
    axes.set_yticks(range(len(names)), labels)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    return figure


def render_figure(figure: Figure, file_format: str) -> bytes:
    """Renders a figure; equal figures give equal bytes.

    Args:
        figure: Figure to render, at 160 dots per inch.
        file_format: Either ``png`` or ``svg``.

    Returns:
        The content of the file.
    """
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hounsfield"}):
        metadata = {"Date": None} if file_format == "svg" else {}
        figure.savefig(buffer, format=file_format, dpi=160, metadata=metadata)
    return buffer.getvalue()


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=True, color="#e3e3e3", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
