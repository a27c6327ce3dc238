"""`convert` writes the one series that is meant, whole, and never over its input."""

import nibabel as nib
import numpy as np
import pytest

from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.pipeline.conversion import convert
from hounsfield.pipeline.errors import OutputError
from hounsfield.preprocessing.errors import SeriesError, UsageError
from tests.preprocessing.volumes import AXIAL, OBLIQUE, make_volume


def write_study(folder, *, uid="1.2.3", directions=AXIAL):
    volume = make_volume(directions, uid=uid)
    save_series(ct_datasets(volume), folder)
    return volume


def test_a_series_is_written_where_it_lies(tmp_path):
    volume = write_study(tmp_path / "in", directions=OBLIQUE)
    out = tmp_path / "ct.nii.gz"
    convert(tmp_path / "in", out)
    image = nib.load(out)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj).transpose(2, 1, 0), volume.hu)
    lps = np.diag([-1, -1, 1, 1]) @ image.affine
    np.testing.assert_allclose(lps, volume.affine, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["ct.nii.gz"]


def test_of_several_studies_the_series_must_be_named(tmp_path):
    write_study(tmp_path / "in" / "a")
    write_study(tmp_path / "in" / "b", uid="1.2.4")
    out = tmp_path / "ct.npz"
    with pytest.raises(
        UsageError, match=r"2 series to choose from; name one by its UID: 1\.2\.3\.2, "
    ):
        convert(tmp_path / "in", out)
    volume = convert(tmp_path / "in", out, series_uid="1.2.4.2")
    assert volume.series.study_uid == "1.2.4.1"
    with pytest.raises(UsageError, match="holds no series '9'; it holds"):
        convert(tmp_path / "in", out, series_uid="9")


def test_a_series_too_short_to_analyse_can_be_written(tmp_path):
    volume = make_volume(shape_zyx=(3, 24, 28))
    save_series(ct_datasets(volume), tmp_path / "in")
    assert convert(tmp_path / "in", tmp_path / "a.mha").shape_zyx == (3, 24, 28)


def test_the_input_is_never_written_over(tmp_path):
    convert_input = tmp_path / "ct.nii.gz"
    write_study(tmp_path / "in")
    convert(tmp_path / "in", convert_input)
    before = convert_input.read_bytes()
    with pytest.raises(UsageError, match="is a file of the input"):
        convert(convert_input, convert_input)
    with pytest.raises(UsageError, match="is a file of the input"):
        convert(tmp_path, convert_input, series_uid="1.2.3.2")
    assert convert_input.read_bytes() == before


def test_an_input_without_a_readable_series_and_an_unknown_suffix_are_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    with pytest.raises(UsageError, match="holds no series that can be read"):
        convert(tmp_path, tmp_path.parent / "a.nii.gz")
    with pytest.raises(UsageError, match="must end in one of"):
        convert(tmp_path, tmp_path.parent / "a.dcm")


def test_a_failure_leaves_no_file(tmp_path):
    write_study(tmp_path / "in")
    with pytest.raises(SeriesError):  # noise has no lungs
        convert(tmp_path / "in", tmp_path / "a.nii.gz", grid="working")
    with pytest.raises(OutputError, match="cannot be written"):
        convert(tmp_path / "in", tmp_path / "missing" / "a.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
