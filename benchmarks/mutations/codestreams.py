"""Kinds of DICOM input: slices in each compressed encoding, changed in their codestreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless

from benchmarks.mutations.changes import Changed, change_bytes
from benchmarks.mutations.dicom_stacks import ALL, ONE, SliceKind, same_change_in_each
from benchmarks.mutations.elements import join_elements
from benchmarks.mutations.kinds import Mutation

if TYPE_CHECKING:
    from random import Random


class CodestreamKind(SliceKind):
    """Slices in a compressed transfer syntax, whose codestreams are changed."""

    def mutate(self, rng: Random) -> Mutation:
        """Changes bytes of the encapsulated pixels of one slice or of all."""
        chosen = [rng.randrange(len(self.stacks))]
        scope = ONE
        if rng.random() < 0.3:
            chosen, scope = list(range(len(self.stacks))), ALL
        # Items, offset table and codestream header are a tenth of the bytes, and half the changes.
        near = rng.random() < 0.5

        def change(number: int) -> Changed:
            content, begins = join_elements(self.stacks[number], self.encoding)
            begin = begins[-1] + 12
            end = min(begin + 120, len(content)) if near else len(content)
            return change_bytes(content, rng, begin, end)

        files, how = same_change_in_each(chosen, rng, change)
        part = "beginning of the codestream" if near else "codestream"
        return Mutation(files, f"{part} of {scope}", how)


class RleKind(CodestreamKind):
    """RLE segments."""

    name = "rle"
    share = 4_000
    syntax = RLELossless


class JpegLsKind(CodestreamKind):
    """JPEG-LS codestreams."""

    name = "jpeg-ls"
    share = 4_000
    syntax = JPEGLSLossless


class JpegLosslessKind(CodestreamKind):
    """Lossless JPEG codestreams."""

    name = "jpeg-lossless"
    share = 4_000
    syntax = JPEGLosslessSV1


class Jpeg2000Kind(CodestreamKind):
    """JPEG 2000 codestreams."""

    name = "jpeg-2000"
    share = 4_000
    syntax = JPEG2000Lossless
