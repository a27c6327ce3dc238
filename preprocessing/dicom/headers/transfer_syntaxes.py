"""Groups of transfer syntaxes (PS3.5, Annex A)."""

from __future__ import annotations

from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSNearLossless,
)

JPEG_SPECTRAL_SELECTION = "1.2.840.10008.1.2.4.53"
"""JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8): retired, unnamed in pydicom."""

JPEG_FULL_PROGRESSION = "1.2.840.10008.1.2.4.55"
"""JPEG Full Progression, Non-Hierarchical (Process 10 and 12): retired likewise."""

NATIVE_SYNTAXES: frozenset[str] = frozenset(
    {
        ImplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        ExplicitVRBigEndian,
    }
)
"""Pixels are stored one after the other, not as a codestream for each frame."""

LOSSY_SYNTAXES: frozenset[str] = frozenset(
    {
        JPEGBaseline8Bit,
        JPEGExtended12Bit,
        JPEG_SPECTRAL_SELECTION,
        JPEG_FULL_PROGRESSION,
        JPEGLSNearLossless,
        JPEG2000,
    }
)
"""Compression that loses information, or may lose it."""
