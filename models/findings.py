"""Candidates and findings: the values that stages exchange."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from hounsfield.models.kinds import Margin, Texture
    from hounsfield.preprocessing.codes import Notice
    from hounsfield.preprocessing.volume import SourcePixel

WorldPoint = tuple[float, float, float]
"""(x, y, z) in LPS mm."""


class NoduleClass(StrEnum):
    """The four classes, in the order of every list of class probabilities."""

    ADENOCARCINOMA = "adenocarcinoma"
    LARGE_CELL_CARCINOMA = "large_cell_carcinoma"
    SQUAMOUS_CELL_CARCINOMA = "squamous_cell_carcinoma"
    NORMAL = "normal"


class ConfidenceBand(StrEnum):
    """How far a class may be trusted; see `confidence_band`."""

    HIGH = "high"
    REVIEW = "review"
    UNCERTAIN = "uncertain"
    OUT_OF_DISTRIBUTION = "out_of_distribution"


HIGH_ABOVE, REVIEW_FROM = 0.85, 0.60


def confidence_band(
    class_probabilities: Sequence[float], *, out_of_distribution: bool = False
) -> ConfidenceBand:
    """Derive the confidence band from the largest calibrated class probability.

    Args:
        class_probabilities: Calibrated, each 0 to 1, in any order.
        out_of_distribution: Whether the input is unlike the classifier's training data.

    Returns:
        Above 0.85 `HIGH`; from 0.60 to 0.85, both included, `REVIEW`; below 0.60 `UNCERTAIN`;
        `OUT_OF_DISTRIBUTION` for an input unlike the training data, whatever the probability.
    """
    if out_of_distribution:
        return ConfidenceBand.OUT_OF_DISTRIBUTION
    largest = max(class_probabilities)
    if largest > HIGH_ABOVE:
        return ConfidenceBand.HIGH
    return ConfidenceBand.REVIEW if largest >= REVIEW_FROM else ConfidenceBand.UNCERTAIN


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place that the detector proposes.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of the same volume.
        score: Calibrated probability of a nodule, 0 to 1.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    score: float


class Lung(StrEnum):
    """The patient's own side."""

    RIGHT = "right"
    LEFT = "left"


class Zone(StrEnum):
    """Thirds of a lung's height."""

    UPPER = "upper"
    MIDDLE = "middle"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class LungLocation:
    """Where in the lungs a finding lies."""

    lung: Lung
    zone: Zone


@dataclass(frozen=True, slots=True)
class NoduleMeasurements:
    """Measurements of one nodule; lengths are not rounded.

    Attributes:
        volume_mm3: Volume inside the boundary, with partial voxels.
        sphere_diameter_mm: Diameter of the sphere of that volume.
        long_axis_mm: Longest diameter on the axial slice where it is longest.
        short_axis_mm: Diameter at a right angle to the long axis on that slice.
        mean_diameter_mm: Average of both axes.
        mean_hu: Mean attenuation of the voxels that are at least half nodule.
        sd_hu: Standard deviation of the attenuation of those voxels.
        solid_fraction: Fraction of the voxels inside the reader-style outline, without its rim,
            that are above -300 HU.
        solid_part_mm: Average of both axes of the solid part of a part-solid nodule, 0 where it is
            too small to measure; None for other textures.
        calcification_fraction: Fraction of the voxels inside the reader-style outline above 200 HU.
        texture: Derived from both fractions.
        solidity: Area of the axial outlines over that of their convex hulls; 1 is convex.
        margin: Derived from the solidity.
        pleura_distance_mm: Distance to the surface of the lung, at most 20; None where the lungs
            are not known.
    """

    volume_mm3: float
    sphere_diameter_mm: float
    long_axis_mm: float
    short_axis_mm: float
    mean_diameter_mm: float
    mean_hu: float
    sd_hu: float
    solid_fraction: float
    solid_part_mm: float | None
    calcification_fraction: float
    texture: Texture
    solidity: float
    margin: Margin
    pleura_distance_mm: float | None

    def as_mapping(self) -> dict[str, float | str]:
        """Return the measurements by name, without those that are None."""
        return {
            name: str(value) if isinstance(value, str) else value
            for name, value in asdict(self).items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """A candidate that is kept and reported.

    Attributes:
        centre_world_mm: (x, y, z) in LPS mm.
        diameter_mm: Diameter of the sphere of the measured volume; the detector's estimate where
            nothing was measured.
        score: Calibrated probability of a nodule, 0 to 1.
        class_probabilities: Calibrated, in the order of `NoduleClass`.
        confidence_band: How far the class may be trusted.
        location: Lung side and zone.
        source: The original image and the pixel of the centre; None for MetaImage and NIfTI.
        measurements: Size, density and margin; None where no outline was found.
        malignancy: Probability that radiologists would rate it 4 or 5 of 5, 0 to 1; None where it
            was not rated.
        notices: Notices about this finding alone.
        activation_map: Class activation map of the classifier; None where there is none to show.
    """

    centre_world_mm: WorldPoint
    diameter_mm: float
    score: float
    class_probabilities: tuple[float, float, float, float]
    confidence_band: ConfidenceBand
    location: LungLocation
    source: SourcePixel | None = None
    measurements: NoduleMeasurements | None = None
    malignancy: float | None = None
    notices: tuple[Notice, ...] = ()
    activation_map: ActivationMap | None = None

    @property
    def likeliest_class(self) -> NoduleClass:
        """The class with the largest probability; the first in order where they tie."""
        classes = list(NoduleClass)
        return max(classes, key=lambda name: self.class_probabilities[classes.index(name)])


@dataclass(frozen=True, slots=True, eq=False)
class ActivationMap:
    """Class activation map: the classifier's logits are means of these values.

    Attributes:
        activation: float32, ``[class, z, y, x]``, classes in the order of `NoduleClass`; above 0
            is evidence for the class, below 0 against it; the mean over the classes is 0.
        affine: 4 x 4; (x, y, z) indices of voxel centres to LPS mm.
    """

    activation: NDArray[np.float32]
    affine: NDArray[np.float64]

    def contrast_for(self, name: NoduleClass) -> NDArray[np.float32]:
        """Return the evidence for a class against its alternative, ``[z, y, x]``.

        The alternative of a carcinoma is normal; that of normal is the mean of the carcinomas.
        """
        classes = list(NoduleClass)
        normal = self.activation[classes.index(NoduleClass.NORMAL)]
        named = self.activation[classes.index(name)]
        if name is NoduleClass.NORMAL:
            rest = (self.activation.sum(axis=0) - normal) / (len(classes) - 1)
        else:
            rest = normal
        difference: NDArray[np.float32] = named - rest
        return difference


@dataclass(frozen=True, slots=True)
class Classification:
    """The class probabilities of a candidate.

    Attributes:
        probabilities: Calibrated, in the order of `NoduleClass`.
        out_of_distribution: Whether its surroundings are unlike the training data.
        activation_map: Class activation map, close up; None where the classifier has none.
    """

    probabilities: tuple[float, float, float, float]
    out_of_distribution: bool = False
    activation_map: ActivationMap | None = None
