"""What class a finding is known to have, and which findings of prepared cases teach one."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.contracts import NoduleClass
from hounsfield.models.networks.class_net import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from hounsfield.data.phantom import NoduleSpec
    from hounsfield.data.prepared.case import KnownFinding, PreparedCase

CARCINOMAS = tuple(c for c in NoduleClass if c is not NoduleClass.NORMAL)

SUSPICIOUS_FROM, BENIGN_TO = 4, 2
"""Readers' malignancy: 4 and 5 count as cancer of unknown type, 1 and 2 as normal, 3 not at all."""

LONG_FROM = 1.6
"""Longest over shortest axis."""

UNKNOWN_ATTRIBUTES: NDArray[np.float32] = np.full(len(ATTRIBUTES), -1, np.float32)


def attributes_of(spec: NoduleSpec) -> NDArray[np.float32]:
    """Which of `ATTRIBUTES` a digital nodule has, 0 or 1."""
    true = {
        "spiculated": spec.margin == "spiculated",
        "lobulated": spec.margin == "lobulated",
        "part-solid": spec.density == "part_solid",
        "ground glass": spec.density == "ground_glass",
        "calcified": spec.density == "calcified",
        "cavitary": spec.cavity > 0,
        "necrotic": spec.necrosis > 0,
        "elongated": spec.elongation >= LONG_FROM,
        "at the hilum": spec.place == "hilar",
        "at the pleura": spec.place == "pleura",
    }
    return np.array([true[look] for look in ATTRIBUTES], np.float32)


def allowed_classes(finding: KnownFinding) -> frozenset[NoduleClass]:
    """The classes that a finding may have; none where it teaches nothing.

    A histology says which; without one, radiologists' malignancy says whether. Small cell
    carcinoma is none of the four.
    """
    if finding.ignored:
        return frozenset()
    if finding.histology:
        return frozenset(c for c in NoduleClass if c.value == finding.histology)
    if finding.malignancy is None:
        return frozenset()
    if finding.malignancy >= SUSPICIOUS_FROM:
        return frozenset(CARCINOMAS)
    return frozenset({NoduleClass.NORMAL}) if finding.malignancy <= BENIGN_TO else frozenset()


def own_findings(
    cases: Iterable[PreparedCase],
) -> Mapping[frozenset[NoduleClass], list[tuple[PreparedCase, KnownFinding]]]:
    """The findings of the cases that teach a class, by the classes they may have."""
    found: defaultdict[frozenset[NoduleClass], list[tuple[PreparedCase, KnownFinding]]]
    found = defaultdict(list)
    for case in cases:
        for finding in case.findings:
            if classes := allowed_classes(finding):
                found[classes].append((case, finding))
    return dict(sorted(found.items(), key=lambda item: sorted(item[0])))
