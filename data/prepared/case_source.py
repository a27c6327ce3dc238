"""`CaseSource`: a part of a data set that can be prepared; `ExcludedCase`: one that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hounsfield.preprocessing.documents import Strict

if TYPE_CHECKING:
    from hounsfield.data.prepared.case import PreparedCase


class ExcludedCase(Strict):
    """A part of a source that is not prepared.

    Attributes:
        name: A series UID, or the path of a file.
        reason: A reason code of series, or ``no_labels``, ``series_missing``, ``held_out``,
            ``label_outside`` (a label that does not fit its series), ``label_repeated``.
        message: One sentence for the user.
        failed: Whether something is wrong with it; otherwise it is not wanted.
    """

    name: str
    reason: str
    message: str
    failed: bool


class CaseSource(Protocol):
    """A part of a data set that can be prepared: a series, a phantom, a single nodule."""

    @property
    def series_uid(self) -> str:
        """Name of the case, unique in its data set."""

    @property
    def patient_id(self) -> str:
        """The split keeps all cases of a patient in one fold."""

    @property
    def fold(self) -> int | None:
        """The data set's own subset, from 0; None where it has none."""

    @property
    def fingerprint(self) -> str:
        """Changes when the result of `make` does; computed without reading voxels."""

    def make(self) -> PreparedCase:
        """Prepares the case.

        Raises:
            SeriesError: It cannot be read, or its labels do not fit.
        """
