"""Where the classes of a classifier's training come from, and whether that gives them away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.splits import read_split
from hounsfield.models.contracts import NoduleClass
from hounsfield.models.training.checks.shortcut_check import background_features, scanner_trap
from hounsfield.models.training.classifier.class_material import allowed_classes
from hounsfield.models.training.engine.material import SOURCES, read_cases

if TYPE_CHECKING:
    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.engine.configuration import DataConfig

log = logging.getLogger(__name__)


def told_sources(plan: DataConfig) -> tuple[str, ...]:
    """Sentences for the log and the card: whose the cancers are, whose the normals, and the trap.

    A series with a carcinoma counts as cancer. As normal count series whose labelled findings are
    all normal, and, where no data set labels any finding normal, those without labelled findings.
    """
    labelled = {
        SOURCES[read_split(folder).dataset][0]: read_cases(
            plan.model_copy(update={"cases": (folder,), "nodules": ()}), "training"
        )
        for folder in plan.cases
    }
    cancers = {
        name: [case for case in cases if _has_cancer(case)] for name, cases in labelled.items()
    }
    normals = {
        name: [case for case in cases if not _has_cancer(case) and _has_normal(case)]
        for name, cases in labelled.items()
    }
    mixed = any(_has_normal(case) for cases in cancers.values() for case in cases)
    if not mixed and not any(normals.values()):
        normals = {
            name: [case for case in cases if not _has_cancer(case)]
            for name, cases in labelled.items()
        }
    if not any(cancers.values()):
        return ()
    told = [_sentence(cancers, normals, mixed=mixed)]
    told.append(_trap([*_all(cancers)], [*_all(normals)]))
    for sentence in told:
        log.info(sentence)
    return tuple(told)


def _sentence(
    cancers: dict[str, list[PreparedCase]],
    normals: dict[str, list[PreparedCase]],
    *,
    mixed: bool,
) -> str:
    of_cancers = sorted(name for name, cases in cancers.items() if cases)
    of_normals = sorted(name for name, cases in normals.items() if cases)
    if mixed:
        return f"Cancers and normal findings lie in the same series ({', '.join(of_cancers)})."
    if set(of_cancers) & set(of_normals):
        return f"Cancers come from {', '.join(of_cancers)}, normals from {', '.join(of_normals)}."
    return (
        f"CANCERS COME FROM {', '.join(of_cancers)} ALONE AND NORMALS FROM "
        f"{', '.join(of_normals) or 'nowhere'} ALONE: a class may be told by its scanner."
    )


def _trap(cancers: list[PreparedCase], normals: list[PreparedCase]) -> str:
    """What a regression on plain lung tells of the class."""
    cases = [*cancers, *normals]
    trap = scanner_trap(
        np.array([background_features(case) for case in cases]),
        np.arange(len(cases)) < len(cancers),
        np.array([case.patient_id for case in cases]),
    )
    if trap is None:
        return (
            f"Whether class can be told from lung without a finding was not tested: {len(cancers)} "
            f"series with cancer and {len(normals)} without are too few."
        )
    low, high = trap.interval_95
    return (
        f"From lung without a finding, {trap.cancers} series with cancer are told from "
        f"{trap.normals} without with AUROC {trap.auroc:.2f} ({low:.2f} to {high:.2f})"
        f"{': THE SCANNER GIVES THE CLASS AWAY' if trap.found else ''}."
    )


def _has_cancer(case: PreparedCase) -> bool:
    return any(
        (classes := allowed_classes(finding)) and NoduleClass.NORMAL not in classes
        for finding in case.findings
    )


def _has_normal(case: PreparedCase) -> bool:
    return any(NoduleClass.NORMAL in allowed_classes(finding) for finding in case.findings)


def _all(cases: dict[str, list[PreparedCase]]) -> list[PreparedCase]:
    return [case for some in cases.values() for case in some]
