"""`NoduleSpec`: what a simulated nodule shall be."""

from __future__ import annotations

from dataclasses import dataclass

DENSITIES = ("solid", "part_solid", "ground_glass", "calcified")
MARGINS = ("smooth", "lobulated", "spiculated")
PLACES = ("isolated", "vessel", "pleura", "hilar")
HISTOLOGIES = ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma", "normal")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleSpec:
    """A nodule to be drawn.

    Attributes:
        diameter_mm: Of the sphere of equal volume, 2 to 120. Spicules are not counted; what the
            pleura cuts off is not drawn, so a nodule there ends up smaller (its truth says so).
        density: One of `DENSITIES`.
        margin: One of `MARGINS`.
        place: One of `PLACES`; only `make_phantom` looks at it.
        cavity: Share of the diameter that is an air-filled hole, 0 for none.
        necrosis: Share of the diameter that is dead, darker tissue, 0 for none.
        solid_fraction: Share of the diameter that is solid in a part-solid nodule.
        elongation: Longest over shortest axis.
        histology: One of `HISTOLOGIES`; ``normal`` is benign.
    """

    diameter_mm: float
    density: str = "solid"
    margin: str = "smooth"
    place: str = "isolated"
    cavity: float = 0.0
    necrosis: float = 0.0
    solid_fraction: float = 0.5
    elongation: float = 1.1
    histology: str = "normal"

    def __post_init__(self) -> None:
        if not 2 <= self.diameter_mm <= 120:
            msg = f"diameter_mm must be from 2 to 120, got {self.diameter_mm}"
            raise ValueError(msg)
        for name, value, allowed in (
            ("density", self.density, DENSITIES),
            ("margin", self.margin, MARGINS),
            ("place", self.place, PLACES),
            ("histology", self.histology, HISTOLOGIES),
        ):
            if value not in allowed:
                msg = f"{name} must be one of {', '.join(allowed)}, got {value!r}"
                raise ValueError(msg)
        for name, share in (("cavity", self.cavity), ("necrosis", self.necrosis)):
            if not 0 <= share < 1:
                msg = f"{name} must be a share of the diameter, 0 to 1, got {share}"
                raise ValueError(msg)

    @property
    def malignant(self) -> bool:
        """Whether it stands for a cancer."""
        return self.histology != "normal"
