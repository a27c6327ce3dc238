"""Decides whether an instance is a slice of an original CT."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.headers.transfer_syntaxes import NATIVE_SYNTAXES
from hounsfield.preprocessing.dicom.pixels.codecs import DECODERS
from hounsfield.preprocessing.errors import SeriesError

if TYPE_CHECKING:
    from hounsfield.preprocessing.dicom.headers.instance import Instance

_CT_CLASSES = frozenset(
    {CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage}
)

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
"""Words of ImageType that mean other values, or another sampling, than those of a CT slice."""

_NOT_HU = frozenset({"OD", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD", "PCT"})
"""RescaleType values (PS3.3, C.11.1.1.2) that are not Hounsfield units."""


def rejection_by_kind(instance: Instance) -> SeriesError | None:
    """Returns why an instance is not a slice of an original CT; None if it is one.

    DERIVED or SECONDARY alone is no reason to exclude a slice: re-sent and anonymised CT says so
    too.

    Args:
        instance: The header of one SOP instance.
    """
    facts = instance.facts
    kind = _describe_class(instance.sop_class_uid)
    words = _words(facts.image_type)
    path = str(instance.source)
    is_capture = instance.sop_class_uid == SecondaryCaptureImageStorage
    if is_capture and facts.modality in {"CT", "OT", ""}:
        msg = "The file is a secondary capture, not a CT slice"
        return SeriesError(Reason.SECONDARY_CAPTURE, msg, path=path)
    if words & _LOCALIZER_WORDS and facts.modality in {"CT", ""}:
        return SeriesError(Reason.LOCALIZER, "The file is a localizer (scout) image", path=path)
    if facts.modality not in {"CT", ""}:
        msg = f"The file is {facts.modality} (0008,0060), {kind}; only CT is analysed"
        return SeriesError(Reason.NOT_CT, msg, path=path)
    if instance.sop_class_uid and instance.sop_class_uid not in _CT_CLASSES:
        return SeriesError(Reason.NOT_CT, f"The file is {kind}, not a CT image", path=path)
    if facts.modality != "CT" and instance.sop_class_uid not in _CT_CLASSES:
        msg = "Neither modality (0008,0060) nor SOP class (0008,0016) says that the file is CT"
        return SeriesError(Reason.NOT_CT, msg, path=path)
    return _rejection_by_content(instance, words)


def _rejection_by_content(instance: Instance, words: frozenset[str]) -> SeriesError | None:
    """Why a CT instance is not a slice in HU."""
    path = str(instance.source)
    pixels = instance.pixels
    if pixels is None:
        msg = "The file is a CT header without pixels"
        return SeriesError(Reason.NOT_AN_IMAGE, msg, path=path)
    derived = sorted(words & _DERIVED_WORDS.keys())
    if derived and "DERIVED" in words:
        image_type = "\\".join(instance.facts.image_type)
        msg = f"The file is {_DERIVED_WORDS[derived[0]]} (ImageType {image_type})"
        return SeriesError(Reason.DERIVED, msg, path=path)
    rescale_types = {frame.rescale_type for frame in instance.frames} & _NOT_HU
    if rescale_types:
        msg = f"The file holds {min(rescale_types)} (0028,1054), not HU"
        return SeriesError(Reason.DERIVED, msg, path=path)
    syntax = instance.transfer_syntax_uid
    if syntax not in NATIVE_SYNTAXES and syntax not in DECODERS:
        msg = (
            f"The file is encoded in transfer syntax {syntax} ({UID(syntax).name}), which is not "
            "supported; convert it to another"
        )
        return SeriesError(Reason.UNSUPPORTED_ENCODING, msg, path=path)
    if pixels.samples_per_pixel != 1:
        msg = "The file is a colour image, not a CT slice"
        return SeriesError(Reason.SECONDARY_CAPTURE, msg, path=path)
    return None


def _words(image_type: tuple[str, ...]) -> frozenset[str]:
    return frozenset(word for value in image_type for word in re.split(r"[^A-Z0-9]+", value))


def _describe_class(sop_class_uid: str) -> str:
    name = UID(sop_class_uid).name
    return f"SOP class {name}" if sop_class_uid else "without a SOP class"
