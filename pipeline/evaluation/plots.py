"""The plots of an evaluation, as PNG and SVG; matplotlib is loaded when the first is drawn."""

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

    from hounsfield.pipeline.evaluation.luna16.evaluate import Curve
    from hounsfield.pipeline.evaluation.schema import ReliabilityBin

_COLOURS = ("#0b5cad", "#c2570c")


def froc_plot(curves: Sequence[Curve], rates: NDArray[np.float64]) -> Figure:
    """Draws FROC curves over the logarithm of the rate, each with its interval band if it has one.

    Args:
        curves: One or two.
        rates: (rates,) false positives a scan at which the curves are given.
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
    axes.set_xlabel("False positives a scan")
    axes.set_ylabel("Sensitivity")
    axes.legend(loc="lower right", frameon=False)
    return figure


def reliability_plot(bins: Sequence[ReliabilityBin]) -> Figure:
    """Draws accuracy over mean confidence, a point and an interval a bin."""
    figure, axes = _figure(4.8, 4.6)
    axes.plot([0, 1], [0, 1], color="#999999", lw=1, ls="--", label="calibrated")
    filled = [one for one in bins if one.cases]
    confidence = np.array([one.mean_confidence for one in filled], np.float64)
    accuracy = np.array([one.accuracy for one in filled], np.float64)
    ends = np.array([one.interval_95 for one in filled], np.float64).reshape(-1, 2)
    cases = np.array([one.cases for one in filled], np.float64)
    axes.vlines(confidence, ends[:, 0], ends[:, 1], color=_COLOURS[0], lw=1.4, alpha=0.5)
    area = 18 + 90 * cases / cases.max(initial=1)
    axes.scatter(
        confidence, accuracy, s=area, color=_COLOURS[0], label="bins (area: cases), 95 %", zorder=3
    )
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Largest class probability")
    axes.set_ylabel("Share that is right")
    axes.legend(loc="upper left", frameon=False)
    return figure


def confusion_plot(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Figure:
    """Draws counts of true (rows) by predicted class, shaded by their share of the row."""
    figure, axes = _figure(5.4, 4.6)
    counts = np.array(matrix, np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), share in np.ndenumerate(shares):
        axes.text(
            column,
            row,
            f"{counts[row, column]:g}\n{share:.0%}",
            ha="center",
            va="center",
            color="white" if share > 0.6 else "black",
        )
    shown = [name.replace("_cell_carcinoma", " cell").replace("_", " ") for name in names]
    axes.set_xticks(range(len(names)), shown, rotation=20)
    axes.set_yticks(range(len(names)), shown)
    axes.set_xlabel("Predicted")
    axes.set_ylabel("True")
    return figure


def rendered(figure: Figure, file_format: str) -> bytes:
    """Renders a figure as ``png`` or ``svg``; the same figure gives the same bytes."""
    import matplotlib as mpl

    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "hounsfield"}):
        dated = {"Date": None} if file_format == "svg" else {}
        figure.savefig(buffer, format=file_format, dpi=160, metadata=dated)
    return buffer.getvalue()


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.grid(visible=True, color="#e3e3e3", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
