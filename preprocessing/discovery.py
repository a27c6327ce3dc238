"""Finds every series in any mixture of files and folders.

Headers decide. Pixels are read where headers do not tell a copy from another image, and a few for
the identifiers of each series.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.content_kind import HEAD_BYTES, ContentKind, content_kind
from hounsfield.preprocessing.dicom.grouping.copied_folders import Copy, split_copies
from hounsfield.preprocessing.dicom.grouping.rejected import rejected_series
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.dicom.headers.dicomdir import dicomdir_message
from hounsfield.preprocessing.dicom.headers.instance import Instance, read_instance
from hounsfield.preprocessing.dicom.pixels.isolated_decoding import stop_decoding_process
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.archives import list_archive
from hounsfield.preprocessing.files.siblings import Siblings
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.files.walk import walk_files
from hounsfield.preprocessing.formats.identity import distinct_series
from hounsfield.preprocessing.formats.metaimage import describe_metaimage
from hounsfield.preprocessing.formats.nifti import describe_nifti
from hounsfield.preprocessing.printable import printable_path
from hounsfield.preprocessing.safety_net import as_series_error

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from hounsfield.preprocessing.series import Series

Member = TypeVar("Member")


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


def discover(
    inputs: Sequence[Path],
    *,
    exclude: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Discovery:
    """Finds every series under `inputs`.

    The content of a file decides what it is, not its name. Archives are searched one level deep,
    and nothing is unpacked to disk. A file or series that cannot be used never stops the search,
    whatever it makes a parser or a codec do.

    Args:
        inputs: Files and folders in any mixture; they may repeat or contain one another.
        exclude: A folder that is no input even where a link leads to it, such as the output folder.
        progress: Called with the number of files examined so far.

    Returns:
        Series that can be analysed and series that cannot, and all other files with the reason.

    Raises:
        UsageError: An input does not exist.
    """
    search = _Search()
    for count, file in enumerate(walk_files(inputs, exclude=exclude), start=1):
        if isinstance(file, Path):
            search.examine(ByteSource.found(file))
        else:
            path, error = file
            search.skip(printable_path(path), error)
        if progress is not None:
            progress(count)
    try:
        return search.result()
    finally:
        stop_decoding_process()


@dataclass(slots=True)
class _Search:
    """Collects instances, single-file series and skipped files.

    Attributes:
        unknown: Files whose first bytes are not recognised. They are examined last: by then it is
            known which of them are a MetaImage's data.
        data_files: The data files of MetaImages.
        siblings: Finds the files that headers and DICOMDIRs name.
    """

    instances: list[Instance] = field(default_factory=list)
    single_files: list[Series] = field(default_factory=list)
    skipped_files: list[SkippedFile] = field(default_factory=list)
    unknown: list[ByteSource] = field(default_factory=list)
    data_files: set[ByteSource] = field(default_factory=set)
    siblings: Siblings = field(default_factory=Siblings)

    def skip(self, path: str, error: SeriesError) -> None:
        self.skipped_files.append(SkippedFile(path, error.reason, error.message))

    def examine(self, source: ByteSource) -> None:
        """Sorts one file (or an archive with all its members) into the collections."""
        try:
            with as_series_error():
                self._take(source, content_kind(source.head(HEAD_BYTES)))
        except SeriesError as error:
            self.skip(str(source), error)

    def result(self) -> Discovery:
        """Groups the instances, marks copies, and sorts everything."""
        for source in self.unknown:
            if source not in self.data_files:
                self._read_instance(source)
        originals, copies = _without_copied_folders(self.instances)
        series = _grouped_instances(originals)
        for group in copies:
            series.extend(group.as_series(_grouped_instances(group.instances)))
        series.extend(_grouped(self.single_files, _name_of, distinct_series, _lost))
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
            with as_series_error():
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
        members = [source.member(entry) for entry in listing.entries]
        self.siblings.add_archive(source.path, members)
        for member in members:
            self.examine(member)

    def _data_file(self, header: ByteSource, name: str) -> ByteSource | None:
        """The file of a name relative to a MetaImage header, but not above the header's folder.

        An absolute path is that of the computer on which the header was written; its file may have
        been copied beside the header.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts:
            return None
        if parts and (parts[0] == "/" or parts[0].endswith(":")):
            parts = parts[-1:]
        data = self.siblings.find(header, parts)
        if data is None and "/" not in name:  # a backslash may be part of a name
            data = self.siblings.find(header, (name,))
        if data is not None:
            self.data_files.add(data)
        return data

    def _is_there(self, dicomdir: ByteSource, parts: tuple[str, ...]) -> bool:
        """Whether a file that a DICOMDIR names exists; discs are often copied in lower case."""
        if any(part in {"", ".."} or "/" in part for part in parts):
            return False
        return self.siblings.find(dicomdir, parts) is not None


def _path_and_uid(series: Series) -> tuple[str, str]:
    return printable_path(series.path), series.facts.series_uid


def _without_copied_folders(
    instances: list[Instance],
) -> tuple[Sequence[Instance], Sequence[Copy]]:
    """The instances to use, and copies; no copies where comparing them fails."""
    try:
        with as_series_error(subject="The copy"):
            return split_copies(instances)
    except SeriesError:
        return instances, []


def _name_of(file: Series) -> str:
    return file.facts.series_uid


def _grouped_instances(instances: Sequence[Instance]) -> list[Series]:
    return _grouped(instances, _study_and_series, group_instances, _lost_instances)


def _grouped(
    members: Sequence[Member],
    key: Callable[[Member], Hashable],
    group: Callable[[Sequence[Member]], list[Series]],
    lost: Callable[[Sequence[Member], SeriesError], list[Series]],
) -> list[Series]:
    """Groups members into series; those of one key that cannot be grouped cost no others."""
    try:
        with as_series_error(subject="The series"):
            return group(members)
    except SeriesError as error:
        apart: dict[Hashable, list[Member]] = defaultdict(list)
        for member in members:
            apart[key(member)].append(member)
        if len(apart) <= 1:
            return lost(members, error)
    return [series for part in apart.values() for series in _grouped(part, key, group, lost)]


def _study_and_series(instance: Instance) -> tuple[str, str]:
    return instance.facts.study_uid, instance.facts.series_uid


def _lost(files: Sequence[Series], error: SeriesError) -> list[Series]:
    """Single-file series that cannot be told apart."""
    return [replace(file, rejection=file.rejection or error, readable=False) for file in files]


def _lost_instances(instances: Sequence[Instance], error: SeriesError) -> list[Series]:
    """The one series of instances that cannot be grouped."""
    return [rejected_series(instances, error)]
