"""Classes and attributes of findings, as far as they are known."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.findings import NoduleClass
from hounsfield.models.networks.class_net import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from hounsfield.data.phantom import NoduleSpec
    from hounsfield.data.prepared.case import KnownFinding, PreparedCase

CARCINOMAS = tuple(c for c in NoduleClass if c is not NoduleClass.NORMAL)

MIN_SUSPICIOUS_RATING, MAX_BENIGN_RATING = 4, 2
"""Readers' malignancy: 4 and 5 count as cancer of unknown type, 1 and 2 as normal, 3 not at all."""

MIN_ELONGATION = 1.6
"""Ratio of the longest to the shortest axis from which a nodule is elongated."""

UNKNOWN_ATTRIBUTES: NDArray[np.float32] = np.full(len(ATTRIBUTES), -1, np.float32)
"""Stands for attributes that are not known, as those of real nodules."""


def attributes_of(spec: NoduleSpec) -> NDArray[np.float32]:
    """Determines the attributes of a synthetic nodule.

    Args:
        spec: What the nodule was specified to be.

    Returns:
        0 or 1 for each of `ATTRIBUTES`.
    """
    present = {
        "spiculated": spec.margin == "spiculated",
        "lobulated": spec.margin == "lobulated",
        "part-solid": spec.density == "part_solid",
        "ground glass": spec.density == "ground_glass",
        "calcified": spec.density == "calcified",
        "cavitary": spec.cavity > 0,
        "necrotic": spec.necrosis > 0,
        "elongated": spec.elongation >= MIN_ELONGATION,
        "at the hilum": spec.place == "hilar",
        "at the pleura": spec.place == "pleura",
    }
    return np.array([present[attribute] for attribute in ATTRIBUTES], np.float32)


def allowed_classes(finding: KnownFinding) -> frozenset[NoduleClass]:
    """Returns the classes that a finding may have; none where it cannot be trained on.

    A histology gives the class; without one, radiologists' malignancy rating separates cancer from
    normal. Small cell carcinoma is none of the four classes.

    Args:
        finding: Finding of a prepared case.
    """
    if finding.ignored:
        return frozenset()
    if finding.histology:
        return frozenset(c for c in NoduleClass if c.value == finding.histology)
    if finding.malignancy is None:
        return frozenset()
    if finding.malignancy >= MIN_SUSPICIOUS_RATING:
        return frozenset(CARCINOMAS)
    if finding.malignancy <= MAX_BENIGN_RATING:
        return frozenset({NoduleClass.NORMAL})
    return frozenset()


def own_findings(
    cases: Iterable[PreparedCase],
) -> Mapping[frozenset[NoduleClass], list[tuple[PreparedCase, KnownFinding]]]:
    """Groups the findings that can be trained on by the classes that they may have.

    Args:
        cases: Prepared series with their known findings.

    Returns:
        Pairs of a case and its finding, by classes, in a fixed order.
    """
    groups: defaultdict[frozenset[NoduleClass], list[tuple[PreparedCase, KnownFinding]]]
    groups = defaultdict(list)
    for case in cases:
        for finding in case.findings:
            if classes := allowed_classes(finding):
                groups[classes].append((case, finding))
    return dict(sorted(groups.items(), key=lambda item: sorted(item[0])))
