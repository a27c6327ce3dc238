"""No file and no series ends the search for the others, whatever its reading raises."""

import zipfile

import pytest

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.preprocessing import discovery
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.formats.writing import VolumeFormat, write_volume
from hounsfield.preprocessing.series import SeriesFormat
from tests.preprocessing.volumes import make_volume


def write_dicom(folder, uid="1.2.3"):
    return save_series(ct_datasets(make_volume(uid=uid)), folder)


class PanicException(BaseException):
    """As pyo3 raises it out of a codec in Rust."""


def test_no_error_in_one_file_stops_the_search(tmp_path, monkeypatch):
    write_dicom(tmp_path)
    read = discovery.read_instance

    def panic_at_the_fifth(source):
        if source.name == "00005.dcm":
            raise PanicException
        return read(source)

    monkeypatch.setattr(discovery, "read_instance", panic_at_the_fifth)
    found = discover([tmp_path])
    [skipped] = found.skipped_files
    assert (skipped.path, skipped.reason) == (str(tmp_path / "00005.dcm"), Reason.UNREADABLE)
    assert len(found.series[0].instances) == 19


def test_a_series_that_cannot_be_grouped_costs_no_other(tmp_path, monkeypatch):
    for uid in ("1.2.3", "1.2.4", "1.2.5"):
        write_dicom(tmp_path / uid, uid)
    group = discovery.group_instances

    def panic_at_the_second(instances):
        if any(instance.source.folder.endswith("1.2.4") for instance in instances):
            raise PanicException
        return group(instances)

    monkeypatch.setattr(discovery, "group_instances", panic_at_the_second)
    found = discover([tmp_path]).series
    assert [series.rejection and series.rejection.reason for series in found] == [
        None, Reason.UNREADABLE, None,
    ]  # fmt: skip
    lost = found[1]
    assert (lost.path, lost.readable, len(lost.sources)) == (tmp_path / "1.2.4", False, 20)


def test_an_interrupt_ends_the_search(tmp_path, monkeypatch):
    write_dicom(tmp_path)

    def interrupt(_source):
        raise KeyboardInterrupt

    monkeypatch.setattr(discovery, "read_instance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        discover([tmp_path])


def test_a_member_that_cannot_be_unpacked_costs_no_other_series(tmp_path):
    write_dicom(tmp_path / "good")
    for number in range(2):
        with (tmp_path / "a.mha").open("wb") as file:
            write_volume(make_volume(uid=f"9.{number}"), file, VolumeFormat.METAIMAGE)
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            archive.write(tmp_path / "a.mha", "a.mha")
        (tmp_path / "a.mha").unlink()
    damaged = bytearray((tmp_path / "1.zip").read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "1.zip").write_bytes(damaged)
    found = discover([tmp_path]).series
    dicom = [series for series in found if series.format is SeriesFormat.DICOM]
    assert [series.rejection for series in dicom] == [None]
