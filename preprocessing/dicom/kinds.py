"""What an instance is: a slice of an original CT, or one of the many things that are not."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydicom.uid import UID

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.codecs import DECODERS, NATIVE_SYNTAXES
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from hounsfield.preprocessing.dicom.header import Instance

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED_ENHANCED_CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2.2"
_CT_CLASSES = frozenset({CT_IMAGE, ENHANCED_CT_IMAGE, LEGACY_CONVERTED_ENHANCED_CT_IMAGE})
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

_LOCALIZER_WORDS = frozenset({"LOCALIZER", "SCOUT", "SURVIEW", "TOPOGRAM", "SCANOGRAM"})

_DERIVED_WORDS = MappingProxyType(
    {
        "MPR": "a reformat of other images",
        "CPR": "a reformat of other images",
        "REFORMATTED": "a reformat of other images",
        "MIP": "a projection of other images",
        "MINIP": "a projection of other images",
        "PROJECTION": "a projection of other images",
        "VRT": "a rendering",
        "SSD": "a rendering",
        "3D": "a rendering",
        "PERFUSION": "a perfusion map",
        "RCBF": "a perfusion map",
        "RCBV": "a perfusion map",
        "MTT": "a perfusion map",
        "TTP": "a perfusion map",
        "IODINE": "a material map",
        "VNC": "a material map",
        "SUBTRACTION": "a difference of images",
    }
)
"""Words of ImageType that mean other values or another sampling than an original slice's."""

_NOT_HU = frozenset({"OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
"""RescaleType values (PS3.3, C.11.1.1.2) whose numbers are no Hounsfield units."""


def rejection_by_kind(instance: Instance) -> SeriesError | None:
    """Why an instance is no slice of an original CT; None where it is one.

    A slice is not left out for being DERIVED and SECONDARY alone: re-sent and anonymised CT says
    so too.
    """
    facts = instance.facts
    kind = _describe_class(instance.sop_class_uid)
    words = _words(facts.image_type)
    if instance.sop_class_uid == _SECONDARY_CAPTURE and facts.modality in {"CT", "OT", ""}:
        return SeriesError(
            Reason.SECONDARY_CAPTURE, f"{instance.source} is a secondary capture, not a CT slice"
        )
    if words & _LOCALIZER_WORDS and facts.modality in {"CT", ""}:
        return SeriesError(Reason.LOCALIZER, f"{instance.source} is a localizer (scout) image")
    if facts.modality not in {"CT", ""}:
        msg = f"{instance.source} is {facts.modality} (0008,0060), {kind}; only CT is analysed"
        return SeriesError(Reason.NOT_CT, msg)
    if instance.sop_class_uid and instance.sop_class_uid not in _CT_CLASSES:
        return SeriesError(Reason.NOT_CT, f"{instance.source} is {kind}, not a CT image")
    if facts.modality != "CT" and instance.sop_class_uid not in _CT_CLASSES:
        msg = f"{instance.source} says neither by modality nor by SOP class that it is CT"
        return SeriesError(Reason.NOT_CT, msg)
    return _rejection_by_content(instance, words)


def _rejection_by_content(instance: Instance, words: frozenset[str]) -> SeriesError | None:
    """Why a CT instance cannot be a slice of HU."""
    pixels = instance.pixels
    if pixels is None:
        msg = f"{instance.source} is a CT header without pixels"
        return SeriesError(Reason.NOT_AN_IMAGE, msg)
    derived = sorted(words & _DERIVED_WORDS.keys())
    if derived and "DERIVED" in words:
        image_type = "\\".join(instance.facts.image_type)
        msg = f"{instance.source} is {_DERIVED_WORDS[derived[0]]} (ImageType {image_type})"
        return SeriesError(Reason.DERIVED, msg)
    rescale_types = {frame.rescale_type for frame in instance.frames} & _NOT_HU
    if rescale_types:
        msg = f"{instance.source} holds {min(rescale_types)} (0028,1054), not HU"
        return SeriesError(Reason.DERIVED, msg)
    syntax = instance.transfer_syntax_uid
    if syntax not in NATIVE_SYNTAXES and syntax not in DECODERS:
        msg = (
            f"{instance.source} is encoded in transfer syntax {syntax} ({UID(syntax).name}), "
            "which is not supported; convert it to another"
        )
        return SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
    if pixels.samples_per_pixel != 1:
        msg = f"{instance.source} is a colour image, not a CT slice"
        return SeriesError(Reason.SECONDARY_CAPTURE, msg)
    return None


def _words(image_type: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for value in image_type for word in re.split(r"[^A-Z0-9]+", value))


def _describe_class(sop_class_uid: str) -> str:
    name = UID(sop_class_uid).name
    return f"SOP class {name}" if sop_class_uid else "without a SOP class"
