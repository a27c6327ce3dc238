"""Figures of parts of a data set: by nodule diameter, by slice thickness, by scanner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation.bootstrap import draw_counts
from hounsfield.pipeline.evaluation.luna16.protocol import radii_mm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.froc import FrocEntries
    from hounsfield.pipeline.evaluation.luna16.submission import Findings, SeriesFacts

DIAMETER_EDGES_MM = (6.0, 8.0, 15.0)
SLICE_THICKNESS_EDGES_MM = (1.0, 2.0, 2.5)


@dataclass(frozen=True, slots=True)
class StratumEntries:
    """One stratum, ready for its curve.

    Attributes:
        by: What the strata are made by.
        name: Of this one.
        entries: Its part of the FROC entries.
        scan_counts: (resamplings, its scans).
    """

    by: str
    name: str
    entries: FrocEntries
    scan_counts: NDArray[np.int32]


def strata_of(
    entries: FrocEntries,
    nodules: Findings,
    facts: SeriesFacts | None,
    scan_counts: NDArray[np.int32],
    *,
    seed: int,
) -> Iterator[StratumEntries]:
    """Yields every stratum that holds something.

    A diameter stratum keeps all scans and false positives (a false positive has no true diameter)
    and looks at its nodules only. A stratum of scans keeps its own nodules and false positives,
    divides by its own number of scans, and is resampled within itself.
    """
    diameter_mm = 2 * radii_mm(nodules)
    for name, chosen in _by_edges(diameter_mm, DIAMETER_EDGES_MM, closed="left"):
        yield StratumEntries("diameter_mm", name, entries.of_nodules(chosen), scan_counts)
    if facts is None:
        return
    groups = [
        *(
            ("slice_thickness_mm", name, chosen)
            for name, chosen in _by_edges(
                facts.slice_thickness_mm, SLICE_THICKNESS_EDGES_MM, closed="right"
            )
        ),
        *(
            ("scanner", scanner, np.array([name == scanner for name in facts.scanner]))
            for scanner in sorted(set(facts.scanner) - {""})
        ),
    ]
    for by, name, chosen in groups:
        part = entries.of_scans(chosen)
        counts = draw_counts(part.scans, resamplings=len(scan_counts), seed=seed)
        yield StratumEntries(by, name, part, counts)


def _by_edges(
    values: NDArray[np.float64], edges: tuple[float, ...], *, closed: str
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Cuts known values at the edges; an edge belongs to the stratum above it if closed left."""
    below, above = ("under", "from") if closed == "left" else ("up to", "over")
    place = np.searchsorted(edges, values, "right" if closed == "left" else "left")
    for index in range(len(edges) + 1):
        chosen = (place == index) & ~np.isnan(values)
        if not chosen.any():
            continue
        lower = f"{above} {edges[index - 1]:g}" if index else ""
        upper = f"{below} {edges[index]:g}" if index < len(edges) else ""
        yield f"{lower} {upper}".strip() + " mm", chosen
