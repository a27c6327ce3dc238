"""Accuracy of the shipped mass detector on synthetic masses in lungs that it was not trained on.

Run as ``python -m benchmarks.masses [PHANTOMS [FOLDER...]]``; results to be quoted need at least 48
PHANTOMS. Masses of 30 to 110 mm are inserted, one at a time, into phantoms with seeds that are not
in training, and into the series of each FOLDER. Every chest is searched once without a mass and
several times with one. Half of the phantoms are warped and hold fluid, consolidation, hernias and
other opacities too.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hounsfield.models.inference.loading import load_mass_detector
from hounsfield.models.store.folders import model_folder
from hounsfield.models.training.masses.chests import ChestSource
from hounsfield.models.training.masses.preparation import longest_series_chest, phantom_chest
from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS
from hounsfield.models.training.masses.synthesis.cases import make_case
from hounsfield.preprocessing.parallel import available_processors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hounsfield.models.inference.mass_detector import MassCandidate, MassDetector
    from hounsfield.models.training.masses.chests import Chest
    from hounsfield.models.training.masses.synthesis.cases import MassCase
    from hounsfield.models.training.masses.synthesis.sites import Contact

SHIPPED = "mass_detector"
FIRST_SEED = 960_000
"""Far from the seeds of the training (700,000) and of earlier tests (500,000 and 800,000)."""

SEED = 11
DIAMETERS_MM = (32.0, 110.0)
MIN_MASS_MM, MIN_FALSE_MM = 30.0, 25.0
"""Smallest mass and smallest false positive that count. A mass is smaller than its target diameter
where the part too far outside the lung was cut off."""

CONTACTS: tuple[Contact, ...] = (
    "mediastinum", "chest wall", "diaphragm", "hilum", "inside", "chest wall", "mediastinum",
    "diaphragm", "apex", "inside",
)  # fmt: skip

CASES_PER_SERIES, CASES_PER_PHANTOM = 40, 3
"""Number of cases with a mass that are made from each chest."""

SIZE_TOLERANCE = 0.2
MIN_OVERLAP = 0.5
"""A mass is found where a candidate covers at least this fraction of it, and at least this fraction
of the candidate is mass. Ignored voxels, such as opaque lung behind a mass, count neither way."""

MAX_FALSE_OVERLAP, MAX_FALSE_IGNORED = 0.2, 0.3
"""A candidate is a false positive where less than these fractions of it are mass and ignored."""


@dataclass(frozen=True, slots=True)
class _MassResult:
    """One inserted mass: what it touches, its true size, and the candidate that found it."""

    real: bool
    contact: Contact
    diameter_mm: float
    long_axis_mm: float
    candidate: MassCandidate | None


@dataclass(frozen=True, slots=True)
class _CaseResult:
    """One search: the masses of the case, its false positives, and the time without lungs."""

    chest: str
    real: bool
    masses: tuple[_MassResult, ...]
    false_positives: int
    has_mass: bool
    seconds: float


def main() -> None:
    """Prints sensitivity and sizes by size, contact and kind of chest, and false positives."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    detector = load_mass_detector(model_folder(SHIPPED), threads=available_processors())
    results: list[_CaseResult] = []
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        results += _search_chest(detector, phantom_chest(seed), seed, CASES_PER_PHANTOM)
        print(f"{seed - FIRST_SEED + 1} of {count} phantoms", end="\r", file=sys.stderr)
    for number, name in enumerate(sys.argv[2:]):
        folder = Path(name)
        chest = longest_series_chest(
            folder, name=folder.name, patient_id=folder.name, source=ChestSource(folder.name, "")
        )
        results += _search_chest(detector, chest, FIRST_SEED - 1 - number, CASES_PER_SERIES)
    _print_masses([mass for result in results for mass in result.masses])
    _print_false_positives(results)


def _search_chest(
    detector: MassDetector, chest: Chest, seed: int, cases: int
) -> Iterator[_CaseResult]:
    """Searches a chest without a mass, and with one mass at a time.

    A phantom with an even seed is warped and holds other opacities each time.
    """
    changed = chest.synthetic and seed % 2 == 0
    for index in range(cases + 1):
        case = make_case(
            chest,
            np.random.default_rng((SEED, seed, index)),
            diameters_mm=DIAMETERS_MM,
            contacts=(CONTACTS[(seed + index) % len(CONTACTS)],) if index else (),
            deform=changed,
            opacities=changed,
        )
        yield _search_case(detector, case)


def _search_case(detector: MassDetector, case: MassCase) -> _CaseResult:
    """Searches a case and compares each candidate with the ground truth."""
    started = time.perf_counter()
    candidates = [c for c in detector.detect(case.lungs) if c.score >= detector.default_threshold]
    seconds = time.perf_counter() - started
    mass_voxels = int(np.count_nonzero(case.labels == MASS))
    hits, false_positives = [], 0
    for candidate in candidates:
        labels = case.labels[candidate.mask]
        overlap = np.count_nonzero(labels == MASS)
        precision = overlap / max(1, np.count_nonzero(labels != IGNORED))
        ignored = float((labels == IGNORED).mean())
        if precision >= MIN_OVERLAP and overlap >= MIN_OVERLAP * mass_voxels:
            hits.append(candidate)
        false_positives += (
            candidate.diameter_mm >= MIN_FALSE_MM
            and precision < MAX_FALSE_OVERLAP
            and ignored < MAX_FALSE_IGNORED
        )
    real = not case.synthetic
    masses = tuple(
        _MassResult(
            real, mass.contact, mass.diameter_mm, mass.long_axis_mm, hits[0] if hits else None
        )
        for mass in case.masses
        if mass.diameter_mm >= MIN_MASS_MM
    )
    return _CaseResult(case.name, real, masses, int(false_positives), bool(case.masses), seconds)


def _print_masses(masses: Sequence[_MassResult]) -> None:
    """Prints sensitivity, and the fraction of found masses whose sizes are right, by group."""
    groups: dict[str, Callable[[_MassResult], bool]] = {
        "all": lambda _: True,
        "touching a structure": lambda mass: mass.contact != "inside",
        "in phantoms": lambda mass: not mass.real,
        "in patients": lambda mass: mass.real,
        "30 to 45 mm": lambda mass: mass.diameter_mm < 45,
        "45 to 65 mm": lambda mass: 45 <= mass.diameter_mm < 65,
        "65 mm and more": lambda mass: mass.diameter_mm >= 65,
    }
    for contact in dict.fromkeys(CONTACTS):
        groups[contact] = lambda mass, contact=contact: mass.contact == contact
    print(f"{'':28}{'masses':>8}{'found':>8}{'diameter':>10}{'long axis':>11}  within 20 %")
    for name, chosen in groups.items():
        if members := [mass for mass in masses if chosen(mass)]:
            print(f"{name:28}{_row(members)}")


def _print_false_positives(results: Sequence[_CaseResult]) -> None:
    """Prints false positives per search, for phantoms and each real chest, and the time."""
    print(f"\n{'false positives per search':28}{'searches':>9}{'no mass':>9}{'one mass':>10}")
    for name in ("phantoms", *dict.fromkeys(result.chest for result in results if result.real)):
        own = [r for r in results if (r.chest == name if r.real else name == "phantoms")]
        if own:
            without, with_mass = (
                np.mean([r.false_positives for r in own if r.has_mass == has_mass] or [np.nan])
                for has_mass in (False, True)
            )
            print(f"{name:28}{len(own):9}{without:9.2f}{with_mass:10.2f}")
    print(f"{'all':28}{len(results):9}{np.mean([r.false_positives for r in results]):9.2f} overall")
    print(f"\n{np.median([result.seconds for result in results]):.2f} s per search (median)")


def _row(members: Sequence[_MassResult]) -> str:
    """Number, fraction found, and fractions of the found ones whose sizes are right."""
    pairs = [(mass, mass.candidate) for mass in members if mass.candidate is not None]
    right = [
        (
            abs(candidate.diameter_mm / mass.diameter_mm - 1) <= SIZE_TOLERANCE,
            abs(candidate.long_axis_mm / mass.long_axis_mm - 1) <= SIZE_TOLERANCE,
        )
        for mass, candidate in pairs
    ]
    diameter, axis = np.mean(right, axis=0) if right else (np.nan, np.nan)
    return f"{len(members):8}{len(pairs) / len(members):8.2f}{diameter:10.2f}{axis:11.2f}"


if __name__ == "__main__":
    main()
