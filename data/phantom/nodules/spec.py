"""`NoduleSpec`: the specification of a synthetic nodule."""

from __future__ import annotations

from dataclasses import dataclass

DENSITIES = ("solid", "part_solid", "ground_glass", "calcified")
MARGINS = ("smooth", "lobulated", "spiculated")
PLACES = ("isolated", "vessel", "pleura", "hilar")
HISTOLOGIES = ("adenocarcinoma", "large_cell_carcinoma", "squamous_cell_carcinoma", "normal")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoduleSpec:
    """The specification of a synthetic nodule.

    Attributes:
        diameter_mm: Diameter of the sphere of equal volume, 2 to 120. Spicules are not counted. The
            pleura cuts a nodule, which is then smaller than specified; its ground truth says so.
        density: One of `DENSITIES`.
        margin: One of `MARGINS`.
        place: One of `PLACES`; only `make_phantom` uses it.
        cavity: Diameter of the air-filled cavity as a fraction of the nodule's, 0 for none.
        necrosis: Diameter of the darker necrotic core as a fraction of the nodule's, 0 for none.
        solid_fraction: Diameter of the solid core of a part-solid nodule as a fraction of its own.
        elongation: Ratio of the longest to the shortest axis.
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
        for name, fraction in (("cavity", self.cavity), ("necrosis", self.necrosis)):
            if not 0 <= fraction < 1:
                msg = f"{name} must be a fraction of the diameter from 0 to below 1, got {fraction}"
                raise ValueError(msg)

    @property
    def malignant(self) -> bool:
        """Whether it stands for a cancer."""
        return self.histology != "normal"
