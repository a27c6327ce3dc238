"""`PhantomSettings`: the grid, the scanner and the patient's condition of a phantom."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSettings:
    """Settings of a phantom scan; everything that is None is drawn from the seed.

    Attributes:
        shape_zyx: Slices, rows, columns of the finished volume.
        spacing_mm: Distances of voxel centres along (x, y, z).
        slice_thickness_mm: Width of the slice profile; None takes the slice distance.
        kernel: ``soft``, ``standard`` or ``sharp``.
        noise_hu: Standard deviation of the noise in the middle of the chest.
        contrast_hu: Enhancement of the blood; 0 is a scan without contrast agent.
        arms: ``up`` or ``down``.
        emphysema: Fraction of the upper lungs that is destroyed, 0 to 0.5.
        nodule_count: Number of nodules, where `make_phantom` is not given any.
        circular_field_of_view: Whether the corners of the image are padded with -1024 HU.
        vessel_ends: Number of terminal arteries, and of terminal veins, in both lungs together.
    """

    shape_zyx: tuple[int, int, int] = (300, 512, 512)
    spacing_mm: tuple[float, float, float] = (0.7, 0.7, 1.0)
    slice_thickness_mm: float | None = None
    kernel: str | None = None
    noise_hu: float | None = None
    contrast_hu: float | None = None
    arms: str | None = None
    emphysema: float | None = None
    nodule_count: int | None = None
    circular_field_of_view: bool = True
    vessel_ends: int = 9000

    def __post_init__(self) -> None:
        if min(self.shape_zyx) < 8:
            msg = f"shape_zyx must be at least 8 along every axis, got {self.shape_zyx}"
            raise ValueError(msg)
        if min(self.spacing_mm) <= 0:
            msg = f"spacing_mm must be positive, got {self.spacing_mm}"
            raise ValueError(msg)
        if self.kernel not in {None, "soft", "standard", "sharp"}:
            msg = f"kernel must be soft, standard or sharp, got {self.kernel!r}"
            raise ValueError(msg)
        if self.arms not in {None, "up", "down"}:
            msg = f"arms must be up or down, got {self.arms!r}"
            raise ValueError(msg)


SMALL = PhantomSettings(shape_zyx=(80, 256, 256), spacing_mm=(1.4, 1.4, 3.5), vessel_ends=4000)
"""A whole chest in a second or two, for tests and demonstrations."""
