"""Coded kinds of a nodule: texture and margin. Imports nothing, so that guidelines stay light."""

from enum import StrEnum


class Texture(StrEnum):
    """Attenuation type of a nodule, in the terms of Lung-RADS v2022."""

    SOLID = "solid"
    PART_SOLID = "part_solid"
    NON_SOLID = "non_solid"
    CALCIFIED = "calcified"


class Margin(StrEnum):
    """Margin of a nodule."""

    SMOOTH = "smooth"
    LOBULATED = "lobulated"
    SPICULATED = "spiculated"
