"""Describes the data sets that the classes of a classifier's training come from.

Where cancers and normal findings come from different data sets, the sentences warn, and the
shortcut check measures whether the background alone predicts the class.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.data.prepared.splits import read_split
from hounsfield.models.findings import NoduleClass
from hounsfield.models.training.checks.shortcut_check import background_features, check_shortcut
from hounsfield.models.training.classifier.class_material import allowed_classes
from hounsfield.models.training.engine.material import SOURCES, read_cases

if TYPE_CHECKING:
    from hounsfield.data.prepared.case import PreparedCase
    from hounsfield.models.training.engine.configuration import DataConfig

log = logging.getLogger(__name__)


def describe_class_sources(data: DataConfig) -> tuple[str, ...]:
    """Describes the sources of cancers and of normal findings, and logs the sentences.

    A series with a carcinoma counts as cancer. Series whose labelled findings are all normal count
    as normal, and, where no data set labels any finding normal, series without labelled findings.

    Args:
        data: Folders, fold and held-out patients of the training.

    Returns:
        Sentences for the model card: the sources, and the result of the shortcut check; none where
        no series has a carcinoma.
    """
    labelled = {
        SOURCES[read_split(folder).dataset][0]: read_cases(
            data.model_copy(update={"cases": (folder,), "nodules": ()}), "training"
        )
        for folder in data.cases
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
    sentences = (
        _sources_sentence(cancers, normals, mixed=mixed),
        _shortcut_sentence(_all(cancers), _all(normals)),
    )
    for sentence in sentences:
        log.info(sentence)
    return sentences


def _sources_sentence(
    cancers: dict[str, list[PreparedCase]],
    normals: dict[str, list[PreparedCase]],
    *,
    mixed: bool,
) -> str:
    of_cancers = sorted(name for name, cases in cancers.items() if cases)
    of_normals = sorted(name for name, cases in normals.items() if cases)
    if mixed:
        return f"Cancers and normal findings are in the same series ({', '.join(of_cancers)})."
    if set(of_cancers) & set(of_normals):
        return f"Cancers come from {', '.join(of_cancers)}, normals from {', '.join(of_normals)}."
    return (
        f"CANCERS COME FROM {', '.join(of_cancers)} ONLY AND NORMALS FROM "
        f"{', '.join(of_normals) or 'nowhere'} ONLY: the scanner may give the class away."
    )


def _shortcut_sentence(cancers: list[PreparedCase], normals: list[PreparedCase]) -> str:
    cases = [*cancers, *normals]
    check = check_shortcut(
        np.array([background_features(case) for case in cases]),
        np.arange(len(cases)) < len(cancers),
        np.array([case.patient_id for case in cases]),
    )
    if check is None:
        return (
            "Whether lung without a finding predicts the class was not tested: "
            f"{len(cancers)} series with cancer and {len(normals)} without are too few."
        )
    low, high = check.interval_95
    return (
        f"From lung without a finding, {check.cancers} series with cancer are separated from "
        f"{check.normals} without with AUROC {check.auroc:.2f} ({low:.2f} to {high:.2f})"
        f"{': THE SCANNER GIVES THE CLASS AWAY' if check.is_shortcut else ''}."
    )


def _has_cancer(case: PreparedCase) -> bool:
    return any(
        (classes := allowed_classes(finding)) and NoduleClass.NORMAL not in classes
        for finding in case.findings
    )


def _has_normal(case: PreparedCase) -> bool:
    return any(NoduleClass.NORMAL in allowed_classes(finding) for finding in case.findings)


def _all(cases: dict[str, list[PreparedCase]]) -> list[PreparedCase]:
    return [case for group in cases.values() for case in group]
