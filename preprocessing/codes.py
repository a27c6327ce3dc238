"""Notice and reason codes: what a reader must know about a series, and why one was not analysed."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoticeCode(StrEnum):
    """Something a reader must know about a series; the run goes on."""

    THICK_SLICES = "thick_slices"
    UNEVEN_SPACING = "uneven_spacing"
    MISSING_SLICES_FILLED = "missing_slices_filled"
    DUPLICATE_SLICES_DROPPED = "duplicate_slices_dropped"
    GANTRY_TILT_CORRECTED = "gantry_tilt_corrected"
    LUNGS_CUT = "lungs_cut"
    ONE_LUNG = "one_lung"
    LOSSY_COMPRESSION = "lossy_compression"
    PADDING_REPLACED = "padding_replaced"
    SPACING_INFERRED = "spacing_inferred"
    HU_SUSPECT = "hu_suspect"
    NOISE_HIGH = "noise_high"
    MOTION_SUSPECT = "motion_suspect"
    METAL = "metal"
    CONTRAST = "contrast"
    SHARP_KERNEL = "sharp_kernel"
    ORIENTATION_UNUSUAL = "orientation_unusual"
    HEADER_CONFLICT = "header_conflict"
    RESOLUTION_LOW = "resolution_low"
    OUTSIDE_TRAINING = "outside_training"


class Reason(StrEnum):
    """Why a series was skipped or failed."""

    NOT_AN_IMAGE = "not_an_image"
    NOT_CT = "not_ct"
    LOCALIZER = "localizer"
    SECONDARY_CAPTURE = "secondary_capture"
    DERIVED = "derived"
    TOO_FEW_SLICES = "too_few_slices"
    NOT_CHEST = "not_chest"
    BETTER_SERIES_CHOSEN = "better_series_chosen"
    DUPLICATE_SERIES = "duplicate_series"

    TRUNCATED = "truncated"
    UNREADABLE = "unreadable"
    UNSUPPORTED_ENCODING = "unsupported_encoding"
    INCONSISTENT_GEOMETRY = "inconsistent_geometry"
    MISSING_SLICES = "missing_slices"
    NO_POSITION = "no_position"
    HU_UNKNOWN = "hu_unknown"
    IMPOSSIBLE_SIZE = "impossible_size"
    LUNGS_NOT_FOUND = "lungs_not_found"
    ARCHIVE_UNSAFE = "archive_unsafe"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_CRASHED = "worker_crashed"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"

    @property
    def verdict(self) -> Verdict:
        """The verdict on a series with this reason: ``skipped`` or ``failed``."""
        return Verdict.SKIPPED if self in _SKIPPED else Verdict.FAILED


class Verdict(StrEnum):
    """The outcome of a series."""

    ANALYSED = "analysed"
    ANALYSED_WITH_NOTICES = "analysed_with_notices"
    SKIPPED = "skipped"
    FAILED = "failed"


_SKIPPED = frozenset(
    {
        Reason.NOT_AN_IMAGE,
        Reason.NOT_CT,
        Reason.LOCALIZER,
        Reason.SECONDARY_CAPTURE,
        Reason.DERIVED,
        Reason.TOO_FEW_SLICES,
        Reason.NOT_CHEST,
        Reason.BETTER_SERIES_CHOSEN,
        Reason.DUPLICATE_SERIES,
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing a reader must know about a series.

    Attributes:
        code: Identifies the kind of notice.
        message: One sentence with its numbers. It names files without their folders, which may
            be named after the patient.
        numbers: The sentence's numbers for machines; the keys state the units.
        path: The file that the notice speaks of, if it is a certain one, as printable text;
            ``archive.zip!member`` for a member of an archive.
    """

    code: NoticeCode
    message: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    path: str | None = None

    def as_json(self, *, with_path: bool = False) -> dict[str, float | str]:
        """Returns ``{code, message, ...numbers}``, the form of every JSON output.

        Args:
            with_path: Whether to add ``path`` if the notice has one. Paths may name the patient.
        """
        path = {"path": self.path} if with_path and self.path else {}
        return {"code": self.code.value, "message": self.message, **self.numbers, **path}
