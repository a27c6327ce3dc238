"""A MetaImage or NIfTI file is identified by what is in it, not by what it is called."""

import gzip
import shutil
import zipfile

import nibabel as nib
import numpy as np
import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.reading import read_volume
from tests.preprocessing.volumes import make_volume

UID = "1.3.6.1.4.1.14519.5.2.1.6279.6001.1002252872223"
RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_nifti(path, number=0):
    """A file whose content differs with a number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    volume = make_volume()
    hu = volume.hu.copy()
    hu[9, 9, 9] = number
    nib.save(nib.Nifti1Image(hu.transpose(2, 1, 0), RAS @ volume.affine), path)
    return path


def write_pair(path, number=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    values = (np.arange(8000) - 1000).astype("<i2")
    values[4000] = number
    path.with_suffix(".raw").write_bytes(values.tobytes())
    path.write_text(
        "NDims = 3\nOffset = 0 0 0\nElementSpacing = 10 10 10\nDimSize = 20 20 20\n"
        f"ElementType = MET_SHORT\nElementDataFile = {path.stem}.raw\n"
    )
    return path


WRITERS = [("ct.nii", write_nifti), ("ct.nii.gz", write_nifti), ("ct.mhd", write_pair)]


def uids(*inputs):
    return [series.facts.series_uid for series in discover(list(inputs)).series]


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_two_patients_files_of_one_name_have_two_identifiers_in_one_run_and_in_two(
    tmp_path, name, write
):
    write(tmp_path / "a" / name, 1)
    write(tmp_path / "b" / name, 2)
    alone = uids(tmp_path / "a") + uids(tmp_path / "b")
    assert len(set(alone)) == 2
    assert uids(tmp_path) == alone


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_the_identifier_holds_nothing_of_the_name(tmp_path, name, write):
    write(tmp_path / "a" / name)
    write(tmp_path / "b" / f"DOE_JOHN_1950{name[2:]}")
    (first,), (second,) = uids(tmp_path / "a"), uids(tmp_path / "b")
    assert second.startswith("file-")
    assert len(second) == len("file-") + 16
    if not name.endswith(".gz"):  # which holds the time and the name
        assert first == second


def test_a_dicom_uid_as_a_name_is_the_identifier(tmp_path):
    write_pair(tmp_path / f"{UID}.mhd")
    [series] = discover([tmp_path]).series
    assert series.facts.study_uid == series.facts.series_uid == UID
    assert len(series.content_id) == 32


@pytest.mark.parametrize("stem", ["1.2", "2024.01.05.12", "1.2.3.x", "1." * 40 + "1", "ct"])
def test_other_names_are_none(tmp_path, stem):
    write_nifti(tmp_path / f"{stem}.nii")
    assert uids(tmp_path)[0].startswith("file-")


@pytest.mark.parametrize(("name", "write"), WRITERS)
def test_a_copy_under_any_name_is_a_duplicate_also_in_an_archive(tmp_path, name, write):
    path = write(tmp_path / "in" / "a" / name)
    (tmp_path / "in" / "b").mkdir()
    for file in path.parent.iterdir():
        shutil.copy(file, tmp_path / "in" / "b" / file.name)
    with zipfile.ZipFile(tmp_path / "in" / "c.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in path.parent.iterdir():
            archive.write(file, f"folder/{file.name}")
    used, *copies = discover([tmp_path / "in"]).series
    assert used.rejection is None
    assert {copy.rejection.reason for copy in copies} == {Reason.DUPLICATE_SERIES}
    assert {copy.facts.series_uid for copy in copies} == {used.facts.series_uid}
    assert len(copies) == 2


def test_two_files_named_by_one_uid_are_both_kept(tmp_path):
    write_pair(tmp_path / "a" / f"{UID}.mhd", 1)
    write_pair(tmp_path / "b" / f"{UID}.mhd", 2)
    first, second = discover([tmp_path]).series
    assert first.rejection is second.rejection is None
    for series in (first, second):
        stem, _, digits = series.facts.series_uid.rpartition("-")
        assert (stem, len(digits)) == (UID, 8)
    assert first.facts != second.facts


def test_a_damaged_file_in_a_comparison_costs_that_file_only(tmp_path):
    good = write_pair(tmp_path / "a" / f"{UID}.mhd", 1)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        for file in good.parent.iterdir():
            archive.write(file, file.name)
    data = bytearray((tmp_path / "b.zip").read_bytes())
    data[data.index(good.with_suffix(".raw").read_bytes()[:64]) + 5000] ^= 1
    (tmp_path / "b.zip").write_bytes(data)
    write_nifti(tmp_path / "c" / "other.nii")
    by_name = {series.sources[0].folder[-1]: series for series in discover([tmp_path]).series}
    intact, damaged, other = by_name["a"], by_name["!"], by_name["c"]
    assert intact.rejection is other.rejection is None
    assert intact.facts.series_uid == UID
    assert damaged.rejection.reason is Reason.UNREADABLE
    assert "checksum does not match" in damaged.rejection.message
    assert not damaged.readable
    assert read_volume(intact).hu.size == 8000


def test_a_flipped_bit_between_the_blocks_that_are_looked_at_is_no_copy(tmp_path):
    """Both have one digest of their content; the full comparison tells them apart."""
    rng = np.random.default_rng(5)
    volume = make_volume(shape_zyx=(100, 100, 100), spacing_mm=(3, 3, 3))
    hu = rng.integers(-1000, 1000, volume.hu.shape).astype(np.int16)
    data = nib.Nifti1Image(hu, np.diag([3.0, 3, 3, 1])).to_bytes()
    packed = bytearray(gzip.compress(data, 0, mtime=0))
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ct.nii.gz").write_bytes(packed)
        packed[64 * 1024 + 4096 + 50] ^= 1
    first, second = discover([tmp_path]).series
    assert first.content_id == second.content_id
    assert first.rejection is second.rejection is None
    assert first.facts.series_uid != second.facts.series_uid
