"""Draws nodules that appear as a histological class typically appears on CT.

Typical features and their frequencies follow Travis et al., "The 2015 WHO Classification of Lung
Tumors", J Thorac Oncol 2015;10:1243, and MacMahon et al., "Guidelines for management of incidental
pulmonary nodules", Radiology 2017;284:228. Real classes overlap far more than these do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hounsfield.data.phantom.nodules.spec import HISTOLOGIES, NoduleSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


def draw_nodule(histology: str, rng: np.random.Generator) -> NoduleSpec:
    """Draws the specification of a nodule of a histological class.

    Args:
        histology: One of `HISTOLOGIES`; ``normal`` gives benign nodules and scars.
        rng: Random stream that decides size, density, margin and place.

    Returns:
        The specification.

    Raises:
        ValueError: The class is unknown.
    """
    draws: dict[str, Callable[[np.random.Generator], NoduleSpec]] = {
        "adenocarcinoma": _adenocarcinoma,
        "large_cell_carcinoma": _large_cell_carcinoma,
        "squamous_cell_carcinoma": _squamous_cell_carcinoma,
        "normal": _benign,
    }
    if histology not in draws:
        msg = f"histology must be one of {', '.join(HISTOLOGIES)}, got {histology!r}"
        raise ValueError(msg)
    return draws[histology](rng)


def _pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """Draws one of the names with the given weights."""
    total = sum(weights.values())
    return str(rng.choice(list(weights), p=[weight / total for weight in weights.values()]))


def _size(rng: np.random.Generator, middle: float, spread: float, low: float, high: float) -> float:
    """A diameter, log-normal about the middle, within bounds."""
    return float(min(max(middle * spread ** float(rng.normal()), low), high))


def _adenocarcinoma(rng: np.random.Generator) -> NoduleSpec:
    """Peripheral, often part-solid, often spiculated."""
    density = _pick(rng, {"part_solid": 0.42, "solid": 0.42, "ground_glass": 0.16})
    return NoduleSpec(
        diameter_mm=_size(rng, 18, 1.5, 5, 60),
        density=density,
        margin=_pick(rng, {"spiculated": 0.6, "lobulated": 0.3, "smooth": 0.1}),
        place=_pick(rng, {"isolated": 0.4, "pleura": 0.4, "vessel": 0.2}),
        cavity=float(rng.uniform(0.12, 0.25)) if rng.random() < 0.06 else 0.0,
        solid_fraction=float(rng.uniform(0.3, 0.75)),
        elongation=float(rng.uniform(1.0, 1.5)),
        histology="adenocarcinoma",
    )


def _squamous_cell_carcinoma(rng: np.random.Generator) -> NoduleSpec:
    """Central, solid, cavitating."""
    diameter = _size(rng, 34, 1.5, 10, 95)
    cavity = float(rng.uniform(0.3, 0.75)) if rng.random() < 0.45 else 0.0
    return NoduleSpec(
        diameter_mm=diameter,
        density="solid",
        margin=_pick(rng, {"lobulated": 0.55, "spiculated": 0.25, "smooth": 0.2}),
        place=_pick(rng, {"hilar": 0.65, "vessel": 0.2, "isolated": 0.1, "pleura": 0.05}),
        cavity=cavity,
        necrosis=float(rng.uniform(0.4, 0.7)) if not cavity and rng.random() < 0.4 else 0.0,
        elongation=float(rng.uniform(1.0, 1.35)),
        histology="squamous_cell_carcinoma",
    )


def _large_cell_carcinoma(rng: np.random.Generator) -> NoduleSpec:
    """Large, peripheral, lobulated, often necrotic."""
    return NoduleSpec(
        diameter_mm=_size(rng, 46, 1.35, 20, 100),
        density="solid",
        margin=_pick(rng, {"lobulated": 0.75, "smooth": 0.15, "spiculated": 0.1}),
        place=_pick(rng, {"pleura": 0.6, "isolated": 0.35, "vessel": 0.05}),
        cavity=float(rng.uniform(0.15, 0.3)) if rng.random() < 0.06 else 0.0,
        necrosis=float(rng.uniform(0.45, 0.8)) if rng.random() < 0.75 else 0.0,
        elongation=float(rng.uniform(1.0, 1.3)),
        histology="large_cell_carcinoma",
    )


def _benign(rng: np.random.Generator) -> NoduleSpec:
    """Granulomas, lymph nodes inside the lung, hamartoma-like nodules, scars, inflammation."""
    kind = _pick(
        rng, {"granuloma": 0.3, "lymph_node": 0.25, "round": 0.25, "scar": 0.12, "inflamed": 0.08}
    )
    if kind == "granuloma":
        return NoduleSpec(
            diameter_mm=_size(rng, 6, 1.4, 3, 16),
            density="calcified" if rng.random() < 0.7 else "solid",
            place=_pick(rng, {"isolated": 0.6, "pleura": 0.3, "vessel": 0.1}),
        )
    if kind == "lymph_node":
        return NoduleSpec(
            diameter_mm=_size(rng, 5, 1.3, 3, 9),
            place="pleura",
            elongation=float(rng.uniform(1.4, 2.2)),
        )
    if kind == "round":
        return NoduleSpec(
            diameter_mm=_size(rng, 8, 1.5, 3, 28),
            margin=_pick(rng, {"smooth": 0.8, "lobulated": 0.2}),
            place=_pick(rng, {"isolated": 0.6, "vessel": 0.25, "pleura": 0.15}),
        )
    if kind == "scar":
        return NoduleSpec(
            diameter_mm=_size(rng, 8, 1.4, 4, 18),
            margin=_pick(rng, {"smooth": 0.4, "lobulated": 0.4, "spiculated": 0.2}),
            place="pleura",
            elongation=float(rng.uniform(1.8, 3.2)),
        )
    return NoduleSpec(
        diameter_mm=_size(rng, 14, 1.5, 6, 40),
        density=_pick(rng, {"ground_glass": 0.6, "solid": 0.4}),
        margin=_pick(rng, {"smooth": 0.5, "lobulated": 0.5}),
        place=_pick(rng, {"isolated": 0.5, "pleura": 0.5}),
        elongation=float(rng.uniform(1.1, 1.6)),
    )
