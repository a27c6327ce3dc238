"""Builds ``evaluation.json``: figures, intervals, strata and comparison of a submission."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation import bootstrap
from hounsfield.pipeline.evaluation.luna16.froc import (
    RATES,
    resampled_sensitivity_at,
    sensitivity_at,
)
from hounsfield.pipeline.evaluation.luna16.protocol import (
    MatchResult,
    PredictionOutcome,
    match_predictions,
)
from hounsfield.pipeline.evaluation.luna16.protocol_check import check_protocol
from hounsfield.pipeline.evaluation.luna16.strata import strata_of
from hounsfield.pipeline.evaluation.schema import (
    CPM,
    Comparison,
    Interval,
    Luna16Evaluation,
    Stratum,
)
from hounsfield.preprocessing.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hounsfield.pipeline.evaluation.luna16.input_tables import (
        Findings,
        Predictions,
        ScanFacts,
        ScanList,
    )
    from hounsfield.pipeline.evaluation.luna16.strata import StratumEntries
    from hounsfield.pipeline.evaluation.schema import ProtocolWarning

KEYS = tuple(f"{rate:g}" for rate in RATES)
PLOT_RATES = np.geomspace(RATES[0], RATES[-1], 121)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The reference standard of a data set.

    Attributes:
        scans: Scans by whose number false positives are divided.
        nodules: Nodules that count.
        excluded: Findings on which predictions are ignored.
        facts: Acquisition and geometry of the scans; None if unknown.
    """

    scans: ScanList
    nodules: Findings
    excluded: Findings
    facts: ScanFacts | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One file of predictions, matched with the ground truth.

    Attributes:
        name: Name of the file.
        all_predictions: Every row of the file.
        predictions: Rows that were matched: on listed scans, with finite scores.
        matches: Outcome of each matched row and of each nodule.
        warnings: Departures from the protocol.
    """

    name: str
    all_predictions: Predictions
    predictions: Predictions
    matches: MatchResult
    warnings: list[ProtocolWarning]


@dataclass(frozen=True, slots=True)
class Curve:
    """A FROC curve for plotting, at `PLOT_RATES`.

    Attributes:
        name: Name in the legend.
        sensitivity: (rates,) plain curve.
        interval_95: (rates, 2) lower and upper end, or None.
    """

    name: str
    sensitivity: NDArray[np.float64]
    interval_95: NDArray[np.float64] | None = None


def match_submission(name: str, all_predictions: Predictions, truth: GroundTruth) -> Submission:
    """Matches the predictions on listed scans and checks the file against the protocol.

    Args:
        name: Name of the file.
        all_predictions: Every row of the file.
        truth: Ground truth; at least one nodule.

    Returns:
        The matched submission.

    Raises:
        UsageError: The ground truth has no nodule on a listed scan.
    """
    if len(truth.nodules.scan) == 0:
        msg = "The annotations must hold a nodule on a listed scan, got none: check both files."
        raise UsageError(msg)
    predictions = all_predictions.select(
        (all_predictions.scan >= 0) & np.isfinite(all_predictions.score)
    )
    matches = match_predictions(
        predictions, truth.nodules, truth.excluded, scans=len(truth.scans.uids)
    )
    warnings = check_protocol(
        all_predictions, predictions, matches, truth.nodules, truth.scans, truth.facts
    )
    return Submission(name, all_predictions, predictions, matches, warnings)


def evaluate_submission(
    submission: Submission,
    truth: GroundTruth,
    *,
    other: Submission | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> tuple[Luna16Evaluation, list[Curve]]:
    """Evaluates a matched submission.

    Args:
        submission: Submission whose figures are reported.
        truth: Ground truth with which it was matched.
        other: Second submission, matched with the same ground truth, for the paired bootstrap.
        resamplings: Number of bootstraps; each draws scans with replacement.
        seed: Seed of the bootstrap; equal seeds draw the same scans.

    Returns:
        The document, and the curves to plot.
    """
    matches, entries = submission.matches, submission.matches.entries
    counts = bootstrap.draw_counts(entries.scans, resamplings=resamplings, seed=seed)
    plain = with_cpm(sensitivity_at(entries))
    at_all_rates = resampled_sensitivity_at(entries, counts, [*RATES, *PLOT_RATES])
    resampled = with_cpm(at_all_rates[:, : len(RATES)])
    band = bootstrap.interval(at_all_rates[:, len(RATES) :])
    curves = [Curve(submission.name, sensitivity_at(entries, PLOT_RATES), band)]
    comparison = None
    if other is not None:
        comparison = _compare(plain, resampled, other, counts)
        curves.append(Curve(other.name, sensitivity_at(other.matches.entries, PLOT_RATES)))
    means = _numbers(bootstrap.mean(resampled))
    strata = strata_of(entries, truth.nodules, truth.facts, counts, seed=seed)
    within_limit = len(matches.outcome) - matches.count(PredictionOutcome.OVER_LIMIT)
    document = Luna16Evaluation(
        predictions=submission.name,
        cpm=float(plain[-1]),
        sensitivity=dict(zip(KEYS, plain[:-1].tolist(), strict=True)),
        interval_95=_intervals(resampled),
        bootstrap_mean=dict(zip((*KEYS, CPM), means, strict=True)),
        nodules=len(entries.nodule_scan),
        scans=entries.scans,
        true_positives=matches.true_positives,
        false_negatives=len(entries.nodule_scan) - matches.true_positives,
        false_positives=matches.count(PredictionOutcome.FALSE_POSITIVE),
        ignored_excluded=matches.count(PredictionOutcome.IGNORED_EXCLUDED),
        ignored_duplicates=matches.ignored_duplicates,
        prediction_rows=len(submission.all_predictions.score),
        predictions_within_limit=within_limit,
        protocol_warnings=submission.warnings,
        strata=[_stratum(stratum) for stratum in strata],
        comparison=comparison,
        resamplings=resamplings,
        seed=seed,
    )
    return document, curves


def with_cpm(sensitivities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Appends the CPM, the mean of the sensitivities, on the last axis.

    Args:
        sensitivities: (..., rates) sensitivities at `RATES`.

    Returns:
        (..., rates + 1) the sensitivities and their mean.
    """
    return np.concatenate([sensitivities, sensitivities.mean(axis=-1, keepdims=True)], axis=-1)


def _stratum(stratum: StratumEntries) -> Stratum:
    entries = stratum.entries
    figures = _numbers(with_cpm(sensitivity_at(entries)))
    return Stratum(
        by=stratum.by,
        name=stratum.name,
        scans=entries.scans,
        nodules=len(entries.nodule_scan),
        true_positives=int(np.isfinite(entries.nodule_score).sum()),
        cpm=figures[-1],
        sensitivity=dict(zip(KEYS, figures[:-1], strict=True)),
        interval_95=_intervals(with_cpm(resampled_sensitivity_at(entries, stratum.scan_counts))),
    )


def _compare(
    plain: NDArray[np.float64],
    resampled: NDArray[np.float64],
    other: Submission,
    counts: NDArray[np.int32],
) -> Comparison:
    """Resamples the other submission with the same scans and takes the differences."""
    entries = other.matches.entries
    plain_other = with_cpm(sensitivity_at(entries))
    differences = resampled - with_cpm(resampled_sensitivity_at(entries, counts))
    names = (*KEYS, CPM)
    p_values = [bootstrap.two_sided_p(column) for column in differences.T]
    return Comparison(
        other=other.name,
        cpm_of_other=float(plain_other[-1]),
        sensitivity_of_other=dict(zip(KEYS, plain_other[:-1].tolist(), strict=True)),
        difference=dict(zip(names, (plain - plain_other).tolist(), strict=True)),
        interval_95=_intervals(differences),
        p_value=dict(zip(names, p_values, strict=True)),
        protocol_warnings_of_other=other.warnings,
    )


def _intervals(resampled: NDArray[np.float64]) -> dict[str, Interval]:
    return bootstrap.intervals_by_name(resampled, (*KEYS, CPM))


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    return [bootstrap.defined_or_none(value) for value in values.tolist()]
