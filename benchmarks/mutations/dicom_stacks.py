"""Kinds of DICOM input: slices in each native encoding, changed in their headers."""

from __future__ import annotations

import io
import zlib
from bisect import bisect
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from benchmarks.material.encoded_pixels import set_transfer_syntax
from benchmarks.mutations.changes import Changed, change_bytes, first_difference
from benchmarks.mutations.chest import EDGE, SPACING_MM, small_chest
from benchmarks.mutations.element_changes import change_element, name_of_tag
from benchmarks.mutations.elements import (
    PIXEL_DATA,
    Element,
    Encoding,
    join_elements,
    split_elements,
)
from benchmarks.mutations.kinds import ImageKind, Mutation
from hounsfield.data.phantom.ct_series import ct_datasets

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

ONE, ALL = "one slice", "all slices"


class SliceKind(ImageKind):
    """A stack of slices in one transfer syntax, whose headers are changed."""

    syntax: ClassVar[UID]

    @cached_property
    def encoding(self) -> Encoding:
        """How the elements are written."""
        return Encoding(
            implicit=self.syntax == ImplicitVRLittleEndian, big=self.syntax == ExplicitVRBigEndian
        )

    @cached_property
    def stacks(self) -> list[list[Element]]:
        """The elements of each slice."""
        slices = []
        for number, dataset in enumerate(ct_datasets(small_chest())):
            dataset.SpacingBetweenSlices = "5"
            dataset.ReconstructionDiameter = str(EDGE * SPACING_MM)
            dataset.SliceLocation = dataset.ImagePositionPatient[2]
            dataset.AcquisitionTime = f"1015{number:02d}.500000"
            dataset.PixelPaddingValue = 63536  # -2000, which no pixel holds
            set_transfer_syntax(dataset, self.syntax)
            file = io.BytesIO()
            dataset.save_as(file, enforce_file_format=True)
            content = file.getvalue()
            if self.syntax == DeflatedExplicitVRLittleEndian:
                content = _inflated(content)
            slices.append(split_elements(content, self.encoding))
        return slices

    def files(self) -> dict[str, bytes]:
        """The unchanged slices."""
        return {name_of(number): self._file(stack) for number, stack in enumerate(self.stacks)}

    def mutate(self, rng: Random) -> Mutation:
        """Changes one element or some bytes of the header, of one slice or of all."""
        chosen = [rng.randrange(len(self.stacks))]
        scope = ONE
        if rng.random() < 0.5:
            chosen, scope = list(range(len(self.stacks))), ALL
        if rng.random() < 0.6:
            return self._changed_element(rng, chosen, scope)
        return self._changed_bytes(rng, chosen, scope)

    def _changed_element(self, rng: Random, chosen: list[int], scope: str) -> Mutation:
        first = self.stacks[chosen[0]]
        at = rng.randrange(sum(element.tag < PIXEL_DATA for element in first))

        def change(number: int) -> Changed:
            elements = list(self.stacks[number])
            how, changed = change_element(elements[at], rng, self.encoding)
            elements[at : at + 1] = [] if changed is None else [changed]
            return how, self._file(elements)

        files, how = same_change_in_each(chosen, rng, change)
        return Mutation(files, f"{name_of_tag(first[at].tag)} of {scope}", how)

    def _changed_bytes(self, rng: Random, chosen: list[int], scope: str) -> Mutation:
        name = ""

        def change(number: int) -> Changed:
            nonlocal name
            content, begins = join_elements(self.stacks[number], self.encoding)
            end = begins[-1] + (8 if self.encoding.implicit else 12)  # where the pixels begin
            how, changed = change_bytes(content, rng, 132, end)
            first = first_difference(content, changed)
            name = name_of_tag(self.stacks[number][bisect(begins, first) - 1].tag)
            return how, self._packed(changed)

        files, how = same_change_in_each(chosen, rng, change)
        return Mutation(files, f"bytes of {name} of {scope}", how)

    def _file(self, elements: list[Element]) -> bytes:
        return self._packed(join_elements(elements, self.encoding)[0])

    def _packed(self, content: bytes) -> bytes:
        if self.syntax != DeflatedExplicitVRLittleEndian:
            return content
        return _deflated(content)


def same_change_in_each(
    chosen: Sequence[int], rng: Random, change: Callable[[int], Changed]
) -> tuple[dict[str, bytes], str]:
    """Changes each chosen slice, with the same random choices in each.

    Args:
        chosen: Numbers of slices, at least one.
        rng: Its state is set anew for each slice.
        change: Draws from `rng`; returns what was done to the slice of a number, and its new file.

    Returns:
        The new file of each slice by its name, and what was done to the last.
    """
    files, how = {}, ""
    state = rng.getstate()
    for number in chosen:
        rng.setstate(state)
        how, files[name_of(number)] = change(number)
    return files, how


def name_of(number: int) -> str:
    """The file name of a slice."""
    return f"{number:03d}.dcm"


def _meta_end(content: bytes) -> int:
    """Where the elements behind group 0002 begin."""
    return 132 + 12 + int.from_bytes(content[140:144], "little")


def _inflated(content: bytes) -> bytes:
    end = _meta_end(content)
    return content[:end] + zlib.decompress(content[end:], -zlib.MAX_WBITS)


def _deflated(content: bytes) -> bytes:
    end = min(_meta_end(content), len(content)) if len(content) > 144 else len(content)
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    return content[:end] + packer.compress(content[end:]) + packer.flush()


class ExplicitKind(SliceKind):
    """Headers in explicit little endian."""

    name = "dicom-explicit"
    share = 16_000
    syntax = ExplicitVRLittleEndian


class ImplicitKind(SliceKind):
    """Headers in implicit little endian."""

    name = "dicom-implicit"
    share = 7_000
    syntax = ImplicitVRLittleEndian


class BigEndianKind(SliceKind):
    """Headers in explicit big endian."""

    name = "dicom-big-endian"
    share = 5_000
    syntax = ExplicitVRBigEndian


class DeflatedKind(SliceKind):
    """Headers in deflated explicit little endian."""

    name = "dicom-deflated"
    share = 5_000
    syntax = DeflatedExplicitVRLittleEndian

    def mutate(self, rng: Random) -> Mutation:
        """Changes an element before it is deflated, or the deflated stream itself."""
        if rng.random() < 0.7:
            return super().mutate(rng)
        name = name_of(rng.randrange(len(self.stacks)))
        how, content = change_bytes(self.contents[name], rng, 132)
        return Mutation({name: content}, f"deflated bytes of {ONE}", how)
