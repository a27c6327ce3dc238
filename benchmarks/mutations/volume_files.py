"""Kinds of input in one or two files: NIfTI, MetaImage, and a zip archive of both and DICOM."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from typing import TYPE_CHECKING

from benchmarks.mutations.changes import change_bytes, change_integer, change_number, change_text
from benchmarks.mutations.chest import small_chest
from benchmarks.mutations.dicom_stacks import ExplicitKind
from benchmarks.mutations.kinds import ImageKind, Mutation
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume

if TYPE_CHECKING:
    from random import Random

_MHD = """\
ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = -160.0 -158.5 -1203.25
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 5.0 5.0 5.0
DimSize = 64 64 12
ElementType = MET_SHORT
ElementDataFile = chest.raw
"""

_NIFTI_HEADER_BYTES = 352
_NIFTI_FIELDS = {
    **{f"dim[{i}]": ("h", 40 + 2 * i) for i in range(5)},
    "datatype": ("h", 70),
    "bitpix": ("h", 72),
    **{f"pixdim[{i}]": ("f", 76 + 4 * i) for i in range(5)},
    "vox_offset": ("f", 108),
    "scl_slope": ("f", 112),
    "scl_inter": ("f", 116),
    "xyzt_units": ("B", 123),
    "qform_code": ("h", 252),
    "sform_code": ("h", 254),
    **{f"quatern_{name}": ("f", 256 + 4 * i) for i, name in enumerate("bcd")},
    **{f"qoffset_{name}": ("f", 268 + 4 * i) for i, name in enumerate("xyz")},
    **{f"srow_{'xyz'[i // 4]}[{i % 4}]": ("f", 280 + 4 * i) for i in range(12)},
}
"""Type and offset of each field that the reader uses (nifti1.h)."""


class NiftiKind(ImageKind):
    """An uncompressed NIfTI, changed in its header."""

    name = "nii"
    share = 4_000

    def files(self) -> dict[str, bytes]:
        """One file."""
        return {"chest.nii": gzip.decompress(_written(VolumeFormat.NIFTI))}

    def mutate(self, rng: Random) -> Mutation:
        """Changes a field or some bytes of the header."""
        [(name, content)] = self.contents.items()
        field, how, changed = change_nifti(content, rng)
        return Mutation({name: changed}, field, how)


class GzippedNiftiKind(ImageKind):
    """A compressed NIfTI, changed in its header or in the compressed bytes."""

    name = "nii.gz"
    share = 5_000

    def files(self) -> dict[str, bytes]:
        """One file."""
        return {"chest.nii.gz": _written(VolumeFormat.NIFTI)}

    def mutate(self, rng: Random) -> Mutation:
        """Changes the header before it is compressed, or the compressed bytes."""
        [(name, content)] = self.contents.items()
        if rng.random() < 0.5:
            how, changed = change_bytes(content, rng)
            return Mutation({name: changed}, "gzip bytes", how)
        field, how, changed = change_nifti(gzip.decompress(content), rng)
        return Mutation({name: gzip.compress(changed, 1, mtime=0)}, field, how)


class HeaderAndRawKind(ImageKind):
    """A MetaImage of a text header and a raw file."""

    name = "mhd"
    share = 5_000

    def files(self) -> dict[str, bytes]:
        """Header and raw values."""
        return {"chest.mhd": _MHD.encode(), "chest.raw": small_chest().hu.tobytes()}

    def mutate(self, rng: Random) -> Mutation:
        """Changes a line or some bytes of the header, or cuts or lengthens the raw file."""
        if rng.random() < 0.05:
            raw = self.contents["chest.raw"]
            longer = rng.random() < 0.5
            changed = (
                raw + rng.randbytes(rng.choice((1, 2, 512)))
                if longer
                else (raw[: rng.randrange(len(raw))])
            )
            return Mutation({"chest.raw": changed}, "raw file", "longer" if longer else "cut off")
        header = self.contents["chest.mhd"]
        field, how, changed = change_meta(header, len(header), rng)
        return Mutation({"chest.mhd": changed}, field, how)


class LocalMetaImageKind(ImageKind):
    """A MetaImage in one file, with compressed values."""

    name = "mha"
    share = 4_000

    def files(self) -> dict[str, bytes]:
        """One file."""
        return {"chest.mha": _written(VolumeFormat.METAIMAGE)}

    def mutate(self, rng: Random) -> Mutation:
        """Changes a line of the header, or bytes of the values."""
        [(name, content)] = self.contents.items()
        end = content.index(b"\n", content.index(b"ElementDataFile")) + 1
        if rng.random() < 0.4:
            how, changed = change_bytes(content, rng, end)
            return Mutation({name: changed}, "values in the file", how)
        field, how, changed = change_meta(content, end, rng)
        return Mutation({name: changed}, field, how)


class ZipKind(ImageKind):
    """An archive with a DICOM series, a NIfTI and a MetaImage."""

    name = "zip"
    share = 5_000

    def files(self) -> dict[str, bytes]:
        """One archive."""
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, content in ExplicitKind().files().items():
                archive.writestr(f"ct/{name}", content)
            archive.writestr("a/chest.nii.gz", _written(VolumeFormat.NIFTI))
            archive.writestr("b/chest.mha", _written(VolumeFormat.METAIMAGE))
        return {"study.zip": file.getvalue()}

    def mutate(self, rng: Random) -> Mutation:
        """Changes bytes of a member, or of the directory and the local headers."""
        [(name, content)] = self.contents.items()
        directory = content.index(b"PK\x01\x02")
        if rng.random() < 0.5:
            how, changed = change_bytes(content, rng, directory)
            return Mutation({name: changed}, "directory of the archive", how)
        how, changed = change_bytes(content, rng, 0, directory)
        return Mutation({name: changed}, "members of the archive", how)


def change_nifti(content: bytes, rng: Random) -> tuple[str, str, bytes]:
    """Changes a field or some bytes of a NIfTI header.

    Args:
        content: The uncompressed file.
        rng: Decides everything.

    Returns:
        The field, what was done, and the new content.
    """
    if rng.random() < 0.3:
        how, changed = change_bytes(content, rng, 0, _NIFTI_HEADER_BYTES)
        return "bytes of the header", how, changed
    field = rng.choice(list(_NIFTI_FIELDS))
    code, offset = _NIFTI_FIELDS[field]
    (value,) = struct.unpack_from(f"<{code}", content, offset)
    changed_content = bytearray(content)
    if code == "f":
        how, text = change_number(f"{value:.6f}", rng)
        try:
            number = float(text)
        except ValueError:
            how, number = "0", 0.0
        struct.pack_into("<f", changed_content, offset, number)
    else:
        bits = 8 * struct.calcsize(code)
        how, integer = change_integer(value % (1 << bits), rng, bits=bits)
        struct.pack_into(f"<{code.upper()}", changed_content, offset, integer)
    return field, how, bytes(changed_content)


def change_meta(content: bytes, end: int, rng: Random) -> tuple[str, str, bytes]:
    """Changes a line or some bytes of a MetaImage header.

    Args:
        content: The whole file.
        end: Where the header ends.
        rng: Decides everything.

    Returns:
        The key, what was done, and the new content.
    """
    if rng.random() < 0.3:
        how, changed = change_bytes(content, rng, 0, end)
        return "bytes of the header", how, changed
    lines = content[:end].decode("latin-1").split("\n")
    at = rng.randrange(len(lines) - 1)
    key, _, value = lines[at].partition(" = ")
    words = value.split(" ")
    chosen = rng.randrange(len(words))
    if rng.random() < 0.1:
        how, lines[at : at + 1] = "removed", []
    else:
        change = change_number if words[chosen][-1:].isdigit() else change_text
        how, words[chosen] = change(words[chosen], rng)
        lines[at] = f"{key} = {' '.join(words)}"
    return key, how, "\n".join(lines).encode("latin-1") + content[end:]


def _written(volume_format: VolumeFormat) -> bytes:
    file = io.BytesIO()
    write_volume(small_chest(), file, volume_format)
    return file.getvalue()
