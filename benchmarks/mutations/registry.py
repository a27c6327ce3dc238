"""All kinds of input by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.mutations.codestreams import Jpeg2000Kind, JpegLosslessKind, JpegLsKind, RleKind
from benchmarks.mutations.dicom_files import DicomdirKind, EnhancedKind
from benchmarks.mutations.dicom_stacks import (
    BigEndianKind,
    DeflatedKind,
    ExplicitKind,
    ImplicitKind,
)
from benchmarks.mutations.documents import ConfigurationKind, LedgerKind, ManifestKind
from benchmarks.mutations.text_kinds import LidcKind, TablesKind, VocKind
from benchmarks.mutations.tumour_files import ContourKind, MaskKind
from benchmarks.mutations.volume_files import (
    GzippedNiftiKind,
    HeaderAndRawKind,
    LocalMetaImageKind,
    NiftiKind,
    ZipKind,
)

if TYPE_CHECKING:
    from benchmarks.mutations.kinds import Kind

KINDS: dict[str, type[Kind]] = {
    kind.name: kind
    for kind in (
        ExplicitKind, ImplicitKind, BigEndianKind, DeflatedKind, EnhancedKind, RleKind, JpegLsKind,
        JpegLosslessKind, Jpeg2000Kind, DicomdirKind, NiftiKind, GzippedNiftiKind,
        HeaderAndRawKind, LocalMetaImageKind, ZipKind, LidcKind, VocKind, ContourKind, MaskKind,
        TablesKind, ConfigurationKind, ManifestKind, LedgerKind,
    )
}  # fmt: skip
"""In the order of the table."""
