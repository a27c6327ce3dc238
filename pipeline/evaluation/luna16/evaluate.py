"""Brings a submission's judgement, curve, intervals, strata and comparison into one document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.pipeline.evaluation import bootstrap
from hounsfield.pipeline.evaluation.luna16.froc import (
    RATES,
    FrocEntries,
    resampled_sensitivity_at,
    sensitivity_at,
)
from hounsfield.pipeline.evaluation.luna16.protocol import Judgement, PredictionOutcome, judge
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

    from hounsfield.pipeline.evaluation.luna16.strata import StratumEntries
    from hounsfield.pipeline.evaluation.luna16.submission import (
        Findings,
        Marks,
        ScanList,
        SeriesFacts,
    )
    from hounsfield.pipeline.evaluation.schema import ProtocolWarning

KEYS = tuple(f"{rate:g}" for rate in RATES)
PLOT_RATES = np.geomspace(RATES[0], RATES[-1], 121)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """What submissions are judged against."""

    scans: ScanList
    nodules: Findings
    excluded: Findings
    facts: SeriesFacts | None = None


@dataclass(frozen=True, slots=True)
class Submission:
    """One file of marks judged.

    Attributes:
        name: Of its file.
        all_marks: Every row.
        marks: Those judged.
        judgement: What became of each of them.
        warnings: What the protocol check says.
    """

    name: str
    all_marks: Marks
    marks: Marks
    judgement: Judgement
    warnings: list[ProtocolWarning]


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve for plotting, at `PLOT_RATES`.

    Attributes:
        name: For the legend.
        sensitivity: (rates,) the plain curve.
        interval_95: (rates, 2), or None.
    """

    name: str
    sensitivity: NDArray[np.float64]
    interval_95: NDArray[np.float64] | None = None


def match_submission(name: str, all_marks: Marks, truth: GroundTruth) -> Submission:
    """Judges the marks on listed scans and checks the file against the protocol."""
    if len(truth.nodules.scan) == 0:
        msg = "The annotations must hold a nodule on a listed scan, got none: check both files."
        raise UsageError(msg)
    marks = all_marks.of((all_marks.scan >= 0) & np.isfinite(all_marks.score))
    judgement = judge(marks, truth.nodules, truth.excluded, scans=len(truth.scans.uids))
    warnings = check_protocol(all_marks, marks, judgement, truth.nodules, truth.scans, truth.facts)
    return Submission(name, all_marks, marks, judgement, warnings)


def evaluate_luna16(
    submission: Submission,
    truth: GroundTruth,
    *,
    other: Submission | None = None,
    resamplings: int = 1000,
    seed: int = 0,
) -> tuple[Luna16Evaluation, list[Curve]]:
    """Evaluates a judged submission.

    Args:
        submission: What is evaluated.
        truth: What it was judged against.
        other: A second submission, for the paired bootstrap.
        resamplings: Scan-level bootstraps.
        seed: Of the bootstraps: the same seed draws the same scans.

    Returns:
        The document, and the curves to plot.
    """
    judgement, entries = submission.judgement, submission.judgement.entries
    counts = bootstrap.draw_counts(entries.scans, resamplings=resamplings, seed=seed)
    plain = with_cpm(sensitivity_at(entries))
    at_all = resampled_sensitivity_at(entries, counts, [*RATES, *PLOT_RATES])
    resampled = with_cpm(at_all[:, : len(RATES)])
    band = bootstrap.interval(at_all[:, len(RATES) :])
    curves = [Curve(submission.name, sensitivity_at(entries, PLOT_RATES), band)]
    comparison = None
    if other is not None:
        comparison = _compare(plain, resampled, other, counts)
        curves.append(Curve(other.name, sensitivity_at(other.judgement.entries, PLOT_RATES)))
    means = _numbers(bootstrap.mean(resampled))
    parts = strata_of(entries, truth.nodules, truth.facts, counts, seed=seed)
    document = Luna16Evaluation(
        predictions=submission.name,
        cpm=float(plain[-1]),
        sensitivity=dict(zip(KEYS, plain[:-1].tolist(), strict=True)),
        interval_95=_intervals(resampled),
        bootstrap_mean=dict(zip((*KEYS, CPM), means, strict=True)),
        nodules=len(entries.nodule_scan),
        scans=entries.scans,
        true_positives=judgement.true_positives,
        false_negatives=len(entries.nodule_scan) - judgement.true_positives,
        false_positives=judgement.count(PredictionOutcome.FALSE_POSITIVE),
        ignored_excluded=judgement.count(PredictionOutcome.IGNORED_EXCLUDED),
        ignored_duplicates=judgement.ignored_duplicates,
        marks=len(submission.all_marks.score),
        predictions_within_limit=len(judgement.fate)
        - judgement.count(PredictionOutcome.OVER_LIMIT),
        protocol_warnings=submission.warnings,
        strata=[_stratum(part) for part in parts],
        comparison=comparison,
        resamplings=resamplings,
        seed=seed,
    )
    return document, curves


def with_cpm(sensitivities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Appends the CPM, the mean of the seven, on the last axis."""
    return np.concatenate([sensitivities, sensitivities.mean(axis=-1, keepdims=True)], axis=-1)


def _stratum(part: StratumEntries) -> Stratum:
    entries: FrocEntries = part.entries
    figures = _numbers(with_cpm(sensitivity_at(entries)))
    return Stratum(
        by=part.by,
        name=part.name,
        scans=entries.scans,
        nodules=len(entries.nodule_scan),
        true_positives=int(np.isfinite(entries.nodule_score).sum()),
        cpm=figures[-1],
        sensitivity=dict(zip(KEYS, figures[:-1], strict=True)),
        interval_95=_intervals(with_cpm(resampled_sensitivity_at(entries, part.scan_counts))),
    )


def _compare(
    plain: NDArray[np.float64],
    resampled: NDArray[np.float64],
    other: Submission,
    counts: NDArray[np.int32],
) -> Comparison:
    """Resamples the other submission with the same scans and takes the differences."""
    entries = other.judgement.entries
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
