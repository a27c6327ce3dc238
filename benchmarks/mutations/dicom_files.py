"""Kinds of DICOM input in one file: an enhanced multi-frame CT, and the index of a disc."""

from __future__ import annotations

import io
import struct
from bisect import bisect
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from benchmarks.mutations.changes import (
    change_bytes,
    change_integer,
    change_number,
    change_text,
    first_difference,
)
from benchmarks.mutations.chest import small_chest
from benchmarks.mutations.element_changes import name_of_tag
from benchmarks.mutations.elements import PIXEL_DATA, PREAMBLE_BYTES
from benchmarks.mutations.kinds import ImageKind, Kind, Mutation
from hounsfield.data.phantom.ct_series import ct_datasets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

_LONG = frozenset({b"OB", b"OW", b"SQ", b"UN", b"UT"})


class Value(NamedTuple):
    """Where the value of an element lies in a file, at any depth."""

    tag: int
    vr: bytes
    begin: int
    end: int


class NestedKind(Kind):
    """One file whose elements, also those in sequences, are changed without moving others."""

    def file_name(self) -> str:
        """The name of the file that is changed."""
        return next(iter(self.contents))

    @cached_property
    def values(self) -> list[Value]:
        """The values of the changed file, in the order in which they lie there."""
        content = self.contents[self.file_name()]
        return list(_values(content, PREAMBLE_BYTES, len(content)))

    def mutate(self, rng: Random) -> Mutation:
        """Changes one value, the same value of every frame, or some bytes."""
        name = self.file_name()
        content = self.contents[name]
        if rng.random() < 0.4:
            end = (
                self.values[-1].end if self.values[-1].tag != PIXEL_DATA else self.values[-1].begin
            )
            how, changed = change_bytes(content, rng, PREAMBLE_BYTES, end)
            first = first_difference(content, changed)
            at = bisect([value.begin for value in self.values], first) - 1
            field = name_of_tag(self.values[max(0, at)].tag)
            return Mutation({name: changed}, f"bytes near {field}", how)
        leaves = [value for value in self.values if value.tag != PIXEL_DATA]
        value = rng.choice(leaves)
        alike = [other for other in leaves if other.tag == value.tag]
        field = name_of_tag(value.tag)
        chosen = [value]
        if len(alike) > 1:
            field += " of one frame"
            if rng.random() < 0.5:
                chosen, field = alike, f"{name_of_tag(value.tag)} of all frames"
        changed_content = bytearray(content)
        state = rng.getstate()
        how = ""
        for value in chosen:
            rng.setstate(state)
            how, new = _changed_value(content[value.begin : value.end], value.vr, rng)
            changed_content[value.begin : value.end] = new
        return Mutation({name: bytes(changed_content)}, field, how)


class EnhancedKind(NestedKind, ImageKind):
    """An enhanced CT whose geometry and rescale are in functional groups."""

    name = "enhanced"
    share = 5_000

    def files(self) -> dict[str, bytes]:
        """One multi-frame file."""
        slices = ct_datasets(small_chest())
        dataset = Dataset()
        dataset.update(slices[0])
        for keyword in (
            "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
            "RescaleIntercept", "RescaleSlope", "RescaleType",
        ):  # fmt: skip
            del dataset[keyword]
        dataset.SOPClassUID = EnhancedCTImageStorage
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
        dataset.NumberOfFrames = len(slices)
        shared = Dataset()
        shared.PlaneOrientationSequence = [_part(slices[0], "ImageOrientationPatient")]
        shared.PixelMeasuresSequence = [_part(slices[0], "PixelSpacing", "SliceThickness")]
        dataset.SharedFunctionalGroupsSequence = [shared]
        groups = []
        for plane in slices:
            group = Dataset()
            group.PlanePositionSequence = [_part(plane, "ImagePositionPatient")]
            group.PixelValueTransformationSequence = [
                _part(plane, "RescaleIntercept", "RescaleSlope", "RescaleType")
            ]
            groups.append(group)
        dataset.PerFrameFunctionalGroupsSequence = groups
        dataset.PixelData = b"".join(plane.PixelData for plane in slices)
        dataset["PixelData"].VR = "OW"
        dataset.file_meta = slices[0].file_meta
        dataset.file_meta.MediaStorageSOPClassUID = EnhancedCTImageStorage
        return {"enhanced.dcm": file_of(dataset)}


class DicomdirKind(NestedKind, ImageKind):
    """The index of a disc beside the slices that it names."""

    name = "dicomdir"
    share = 3_000

    def file_name(self) -> str:
        """The index."""
        return "DICOMDIR"

    def files(self) -> dict[str, bytes]:
        """The index, and the slices of a chest."""
        datasets = ct_datasets(small_chest())
        slices = {f"CT/IM{i:03d}": file_of(each) for i, each in enumerate(datasets)}
        records = []
        for name in slices:
            record = Dataset()
            record.OffsetOfTheNextDirectoryRecord = 0
            record.RecordInUseFlag = 0xFFFF
            record.DirectoryRecordType = "IMAGE"
            record.ReferencedFileID = name.split("/")
            records.append(record)
        index = Dataset()
        index.FileSetID = "DISC"
        index.FileSetConsistencyFlag = 0
        index.DirectoryRecordSequence = records
        index.file_meta = FileMetaDataset()
        index.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        index.file_meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
        index.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3")
        return {"DICOMDIR": file_of(index), **slices}


def _part(plane: Dataset, *keywords: str) -> Dataset:
    item = Dataset()
    for keyword in keywords:
        item[keyword] = plane[keyword]
    return item


def file_of(dataset: Dataset) -> bytes:
    """Returns a data set as a file with preamble and meta information.

    Args:
        dataset: With its `file_meta`.
    """
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def _values(content: bytes, at: int, end: int) -> Iterator[Value]:
    """All values between two positions in explicit little endian, those of items after them."""
    while at + 8 <= end:
        group, number = struct.unpack_from("<2H", content, at)
        tag, vr = group << 16 | number, content[at + 4 : at + 6]
        if vr in _LONG:
            (length,) = struct.unpack_from("<I", content, at + 8)
            at += 12
        else:
            (length,) = struct.unpack_from("<H", content, at + 6)
            at += 8
        if vr == b"SQ":
            item = at
            while item < at + length:
                (item_length,) = struct.unpack_from("<I", content, item + 4)
                yield from _values(content, item + 8, item + 8 + item_length)
                item += 8 + item_length
        elif length:
            yield Value(tag, vr, at, at + length)
        at += length


def _changed_value(value: bytes, vr: bytes, rng: Random) -> tuple[str, bytes]:
    """A new value of the same length."""
    if vr == b"US":
        how, number = change_integer(int.from_bytes(value[:2], "little"), rng, bits=16)
        return how, number.to_bytes(2, "little") + value[2:]
    if vr in {b"UL", b"OB", b"AT"}:
        how, changed = change_bytes(value, rng)
        return how, changed[: len(value)].ljust(len(value), b"\0")
    parts = value.decode("latin-1").rstrip(" \0").split("\\")
    at = rng.randrange(len(parts))
    change = change_number if vr in {b"DS", b"IS"} else change_text
    how, parts[at] = change(parts[at], rng)
    encoded = "\\".join(parts).encode("latin-1", "replace")
    return how, encoded[: len(value)].ljust(len(value), b" ")
