"""Finds every series in any mixture of files and folders, from headers alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.content_kind import HEAD_BYTES, ContentKind, content_kind
from hounsfield.preprocessing.dicom.dicomdir import dicomdir_message
from hounsfield.preprocessing.dicom.header import Instance, read_instance
from hounsfield.preprocessing.dicom.series import group_instances
from hounsfield.preprocessing.duplicates import distinct_names, split_copies
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.archives import list_archive
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.files.walk import walk_files
from hounsfield.preprocessing.formats.metaimage import describe_metaimage
from hounsfield.preprocessing.formats.nifti import describe_nifti
from hounsfield.preprocessing.printable_path import printable_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hounsfield.preprocessing.series import Series


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that belongs to no series, and why.

    Attributes:
        path: The file as printable text; ``archive.zip!member`` inside an archive.
        reason: The reason code of the file.
        message: One sentence that does not repeat the path.
    """

    path: str
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """All series, and the files that belong to none, both in the order of their paths."""

    series: tuple[Series, ...]
    skipped_files: tuple[SkippedFile, ...]


def discover(inputs: Sequence[Path], *, progress: Callable[[int], None] | None = None) -> Discovery:
    """Finds every series under `inputs`; no pixel is read.

    The content of a file decides what it is, not its name. Archives are searched one level deep,
    and nothing is unpacked to disk. A file that cannot be used never stops the search.

    Args:
        inputs: Files and folders in any mixture; they may repeat or contain one another.
        progress: Called with the number of files examined so far.

    Returns:
        Series that can be analysed and series that cannot, and all other files with the reason.

    Raises:
        UsageError: An input does not exist.
    """
    search = _Search()
    for count, file in enumerate(walk_files(inputs), start=1):
        if isinstance(file, Path):
            search.examine(ByteSource(file))
        else:
            path, error = file
            search.skip(printable_path(path), error)
        if progress is not None:
            progress(count)
    return search.result()


@dataclass(slots=True)
class _Search:
    """Collects instances, single-file series and skipped files.

    Attributes:
        unknown: Files whose first bytes are not recognised. They are examined last: by then it is
            known which of them are a MetaImage's data.
        data_files: The data files of MetaImages.
        archives: The members of each archive by name.
    """

    instances: list[Instance] = field(default_factory=list)
    single_files: list[Series] = field(default_factory=list)
    skipped_files: list[SkippedFile] = field(default_factory=list)
    unknown: list[ByteSource] = field(default_factory=list)
    data_files: set[ByteSource] = field(default_factory=set)
    archives: dict[Path, dict[str, ByteSource]] = field(default_factory=dict)

    def skip(self, path: str, error: SeriesError) -> None:
        self.skipped_files.append(SkippedFile(path, error.reason, error.message))

    def examine(self, source: ByteSource) -> None:
        """Sorts one file (or an archive with all its members) into the collections."""
        try:
            self._take(source, content_kind(source.head(HEAD_BYTES)))
        except OSError as error:
            msg = f"The file cannot be read: {error.strerror or error}"
            self.skip(str(source), SeriesError(Reason.UNREADABLE, msg))
        except SeriesError as error:
            self.skip(str(source), error)

    def result(self) -> Discovery:
        """Groups the instances, marks copies, and sorts everything."""
        for source in self.unknown:
            if source not in self.data_files:
                self._read_instance(source)
        originals, copies = split_copies(self.instances)
        series = group_instances(originals)
        for group in copies:
            series.extend(group.as_series(group_instances(group.instances)))
        series.extend(distinct_names(self.single_files))
        return Discovery(
            tuple(sorted(series, key=_path_and_uid)),
            tuple(sorted(self.skipped_files, key=lambda file: (file.path, file.message))),
        )

    def _take(self, source: ByteSource, kind: ContentKind) -> None:
        match kind:
            case ContentKind.DICOM:
                self._read_instance(source)
            case ContentKind.UNKNOWN:
                self.unknown.append(source)
            case ContentKind.NIFTI:
                self.single_files.append(describe_nifti(source))
            case ContentKind.METAIMAGE:
                self.single_files.append(
                    describe_metaimage(source, lambda name: self._data_file(source, name))
                )
            case ContentKind.ZIP:
                self._open_archive(source)
            case ContentKind.DICOMDIR:
                message = dicomdir_message(source, lambda parts: self._is_there(source, parts))
                raise SeriesError(Reason.NOT_AN_IMAGE, message)
            case ContentKind.GZIP:
                msg = "A gzip file without NIfTI content is not supported; unpack it"
                raise SeriesError(Reason.NOT_AN_IMAGE, msg)
            case ContentKind.EMPTY:
                raise SeriesError(Reason.NOT_AN_IMAGE, "The file is empty")

    def _read_instance(self, source: ByteSource) -> None:
        try:
            self.instances.append(read_instance(source))
        except SeriesError as error:
            self.skip(str(source), error)

    def _open_archive(self, source: ByteSource) -> None:
        if source.entry is not None:
            msg = "An archive inside an archive is not opened; unpack the outer one"
            raise SeriesError(Reason.UNSUPPORTED_ENCODING, msg)
        listing = list_archive(source.path)
        for name, error in listing.refused:
            self.skip(f"{source}!{name}" if name else str(source), error)
        members = [ByteSource(source.path, entry) for entry in listing.entries]
        self.archives[source.path] = {
            member.entry.name: member for member in members if member.entry
        }
        for member in members:
            self.examine(member)

    def _data_file(self, header: ByteSource, name: str) -> ByteSource | None:
        """The file of a name relative to a MetaImage header, but not above the header's folder."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or parts[:1] == ("/",):
            return None
        data = self._below(header, parts)
        if data is not None:
            self.data_files.add(data)
        return data

    def _is_there(self, dicomdir: ByteSource, parts: tuple[str, ...]) -> bool:
        """Whether a file that a DICOMDIR names exists; discs are often copied in lower case."""
        lower = tuple(part.lower() for part in parts)
        return any(self._below(dicomdir, case) is not None for case in (parts, lower))

    def _below(self, source: ByteSource, parts: tuple[str, ...]) -> ByteSource | None:
        """The file of a relative path in the folder of `source`, or in its archive."""
        if source.entry is not None:
            name = str(PurePosixPath(source.entry.name).parent.joinpath(*parts))
            return self.archives[source.path].get(name)
        path = source.path.parent.joinpath(*parts)
        return ByteSource(path) if path.is_file() else None


def _path_and_uid(series: Series) -> tuple[str, str]:
    return printable_path(series.path), series.facts.series_uid
