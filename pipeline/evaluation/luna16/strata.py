"""Strata of a data set: by nodule diameter, slice thickness and scanner."""

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
    from hounsfield.pipeline.evaluation.luna16.input_tables import Findings, ScanFacts

DIAMETER_EDGES_MM = (6.0, 8.0, 15.0)
SLICE_THICKNESS_EDGES_MM = (1.0, 2.0, 2.5)


@dataclass(frozen=True, slots=True)
class StratumEntries:
    """The FROC entries of one stratum.

    Attributes:
        by: Quantity that defines the strata, such as ``diameter_mm``.
        name: Range or value of the quantity, such as "from 6 under 8 mm".
        entries: FROC entries of the stratum.
        scan_counts: (resamplings, scans of the stratum) how often each scan was drawn.
    """

    by: str
    name: str
    entries: FrocEntries
    scan_counts: NDArray[np.int32]


def strata_of(
    entries: FrocEntries,
    nodules: Findings,
    facts: ScanFacts | None,
    scan_counts: NDArray[np.int32],
    *,
    seed: int,
) -> Iterator[StratumEntries]:
    """Yields every stratum that is not empty.

    A diameter stratum keeps all scans and false positives, since a false positive has no true
    diameter, and only its own nodules. A stratum of scans keeps its own nodules and false
    positives, divides by its own number of scans and is resampled within itself.

    Args:
        entries: FROC entries of all nodules and scans.
        nodules: Ground-truth nodules, in the order of the entries.
        facts: Acquisition of each scan; None gives the diameter strata only.
        scan_counts: (resamplings, scans) how often each scan was drawn.
        seed: Seed of the resampling within a stratum of scans.

    Yields:
        The strata: diameters, then slice thicknesses, then scanners.
    """
    diameter_mm = 2 * radii_mm(nodules)
    for name, chosen in _by_edges(diameter_mm, DIAMETER_EDGES_MM, closed="left"):
        yield StratumEntries("diameter_mm", name, entries.select_nodules(chosen), scan_counts)
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
        part = entries.select_scans(chosen)
        counts = draw_counts(part.scans, resamplings=len(scan_counts), seed=seed)
        yield StratumEntries(by, name, part, counts)


def _by_edges(
    values: NDArray[np.float64], edges: tuple[float, ...], *, closed: str
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Splits known values at the edges; an edge belongs to the upper stratum if closed left."""
    below, above = ("under", "from") if closed == "left" else ("up to", "over")
    stratum = np.searchsorted(edges, values, "right" if closed == "left" else "left")
    for index in range(len(edges) + 1):
        chosen = (stratum == index) & ~np.isnan(values)
        if not chosen.any():
            continue
        lower = f"{above} {edges[index - 1]:g}" if index else ""
        upper = f"{below} {edges[index]:g}" if index < len(edges) else ""
        yield f"{lower} {upper}".strip() + " mm", chosen
