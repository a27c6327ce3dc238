"""The FROC curve: sensitivity over false positives per scan, for many resamplings at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

RATES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The seven rates whose mean sensitivity is the CPM (competition performance metric)."""

MISSED_SCORE = -np.inf
"""Score of a nodule without a prediction: below all others, so no threshold detects it."""

_MAX_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class FrocEntries:
    """Scores that enter a FROC curve.

    Attributes:
        scans: Number of listed scans, by which false positives are divided.
        nodule_scan: (nodules,) scan index.
        nodule_score: (nodules,) score of the best prediction, `MISSED_SCORE` without one.
        false_positive_scan: (false positives,) scan index.
        false_positive_score: (false positives,) score.
    """

    scans: int
    nodule_scan: NDArray[np.intp]
    nodule_score: NDArray[np.float64]
    false_positive_scan: NDArray[np.intp]
    false_positive_score: NDArray[np.float64]

    def select_nodules(self, chosen: NDArray[np.bool_]) -> FrocEntries:
        """Returns the entries with the chosen nodules only; scans and false positives stay."""
        return FrocEntries(
            self.scans,
            self.nodule_scan[chosen],
            self.nodule_score[chosen],
            self.false_positive_scan,
            self.false_positive_score,
        )

    def select_scans(self, chosen: NDArray[np.bool_]) -> FrocEntries:
        """Returns the entries of the chosen scans only, with their nodules and false positives."""
        index = np.cumsum(chosen) - 1
        nodule, false_positive = chosen[self.nodule_scan], chosen[self.false_positive_scan]
        return FrocEntries(
            int(np.count_nonzero(chosen)),
            index[self.nodule_scan[nodule]],
            self.nodule_score[nodule],
            index[self.false_positive_scan[false_positive]],
            self.false_positive_score[false_positive],
        )


def sensitivity_at(
    entries: FrocEntries, rates: Sequence[float] | NDArray[np.float64] = RATES
) -> NDArray[np.float64]:
    """Reads the plain curve, without resampling.

    Args:
        entries: Scores that enter the curve.
        rates: (rates,) false positives per scan.

    Returns:
        (rates,) sensitivities, NaN where there are no nodules.
    """
    once = np.ones((1, entries.scans), np.int32)
    plain: NDArray[np.float64] = resampled_sensitivity_at(entries, once, rates)[0]
    return plain


def resampled_sensitivity_at(
    entries: FrocEntries,
    scan_counts: NDArray[np.int32],
    rates: Sequence[float] | NDArray[np.float64] = RATES,
) -> NDArray[np.float64]:
    """Reads the curve of each resampling at the given rates.

    The curve joins, by straight lines, the points (false positives per scan, sensitivity) at every
    distinct score; predictions of equal score enter together. Beyond its last point it stays
    constant, and where it rises without a new false positive its upper end is read. Counts stay
    integers until the last division, so that nothing depends on rounding.

    Args:
        entries: Scores that enter the curve.
        scan_counts: (resamplings, scans) how often each scan was drawn.
        rates: (rates,) false positives per scan.

    Returns:
        (resamplings, rates) sensitivities, NaN for a resampling without nodules.
    """
    ranked = _Ranked.of(entries)
    targets = np.asarray(rates, np.float64)[None, :] * scan_counts.sum(axis=1)[:, None]
    reach = _false_positives_needed(ranked, scan_counts, float(targets.max(initial=0.0)))
    detected = np.empty(targets.shape)
    for rows in _row_blocks(len(scan_counts), reach + len(ranked.hit_scan)):
        detected[rows] = _detected(ranked, scan_counts[rows], targets[rows], reach)
    nodules = scan_counts[:, entries.nodule_scan].sum(axis=1, dtype=np.float64)[:, None]
    sensitivities = np.full(detected.shape, np.nan)
    np.divide(detected, nodules, out=sensitivities, where=nodules > 0)
    return sensitivities


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Hits and false positives in order of falling score, and how the two interleave.

    For a false positive, ``tie_first`` and ``tie_last`` bound those of equal score, ``hits_above``
    counts the hits of higher score and ``hits_from`` those of equal or higher score.
    """

    hit_scan: NDArray[np.intp]
    false_positive_scan: NDArray[np.intp]
    tie_first: NDArray[np.intp]
    tie_last: NDArray[np.intp]
    hits_above: NDArray[np.intp]
    hits_from: NDArray[np.intp]

    @classmethod
    def of(cls, entries: FrocEntries) -> _Ranked:
        hit = np.flatnonzero(entries.nodule_score > MISSED_SCORE)
        hit = hit[np.argsort(-entries.nodule_score[hit], kind="stable")]
        false_positive = np.argsort(-entries.false_positive_score, kind="stable")
        falling_hits = -entries.nodule_score[hit]
        falling = -entries.false_positive_score[false_positive]
        return cls(
            hit_scan=entries.nodule_scan[hit],
            false_positive_scan=entries.false_positive_scan[false_positive],
            tie_first=np.searchsorted(falling, falling, "left"),
            tie_last=np.searchsorted(falling, falling, "right") - 1,
            hits_above=np.searchsorted(falling_hits, falling, "left"),
            hits_from=np.searchsorted(falling_hits, falling, "right"),
        )


def _detected(
    ranked: _Ranked,
    scan_counts: NDArray[np.int32],
    targets: NDArray[np.float64],
    reach: int,
) -> NDArray[np.float64]:
    """Counts the nodules detected at each target; between two points, a fraction of one.

    Args:
        ranked: Ranked entries.
        scan_counts: (resamplings, scans) how often each scan was drawn.
        targets: (resamplings, rates) total numbers of false positives.
        reach: Number of false positives to consider: past every target, or all.
    """
    hits = _cumulative(scan_counts, ranked.hit_scan)
    if reach == 0:
        return np.broadcast_to(hits[:, -1:], targets.shape).astype(np.float64)
    false_positives = _cumulative(scan_counts, ranked.false_positive_scan[:reach])
    beyond = np.stack(  # the first false positive over the target
        [
            np.searchsorted(row[1:], target, "right")
            for row, target in zip(false_positives, targets, strict=True)
        ]
    )
    position = np.minimum(beyond, reach - 1)
    row = np.arange(len(targets))[:, None]
    before = false_positives[row, ranked.tie_first[position]]
    after = false_positives[row, ranked.tie_last[position] + 1]
    lower, upper = hits[row, ranked.hits_above[position]], hits[row, ranked.hits_from[position]]
    with np.errstate(divide="ignore", invalid="ignore"):  # past the end; replaced below
        between = lower + (upper - lower) * ((targets - before) / (after - before))
    return np.where(beyond < reach, between, hits[:, -1:])


def _cumulative(scan_counts: NDArray[np.int32], entry_scan: NDArray[np.intp]) -> NDArray[np.int32]:
    """Sums how often each entry was drawn, down the ranking; the first column is zero."""
    total = np.zeros((len(scan_counts), len(entry_scan) + 1), np.int32)
    np.cumsum(scan_counts[:, entry_scan], axis=1, dtype=np.int32, out=total[:, 1:])
    return total


def _false_positives_needed(ranked: _Ranked, scan_counts: NDArray[np.int32], target: float) -> int:
    """Returns the rank by which every resampling has passed the target.

    Most predictions of a submission lie beyond 8 false positives per scan and are never needed.
    """
    total = len(ranked.false_positive_scan)
    reach = min(total, int(1.1 * target) + 64)
    while reach < total:
        reach = int(ranked.tie_last[reach - 1]) + 1
        per_scan = np.bincount(ranked.false_positive_scan[:reach], minlength=scan_counts.shape[1])
        if (scan_counts @ per_scan).min() > target:
            return reach
        reach = min(total, 2 * reach)
    return total


def _row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Splits the resamplings into blocks that fit in little memory."""
    step = max(1, _MAX_CELLS // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, start + step)
