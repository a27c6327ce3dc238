"""The same scan gives the same findings, files and growth, however it is stored."""

import gzip

import nibabel as nib
import numpy as np
import pytest

from benchmarks.storage_orders import FORMS, compare, write_form
from hounsfield.data.phantom import SMALL, NoduleSpec, make_phantom
from hounsfield.pipeline.analysis.growth.prior import Prior
from hounsfield.pipeline.api import analyse, load_models
from hounsfield.preprocessing.codes import NoticeCode
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.geometry.reorient import reoriented
from tests.phantom_patient import FIRST, LATER, scanned
from tests.pipeline.fakes import fake_analyser
from tests.pipeline.scripted import scripted_config

TURNED = "DICOM, turned by 180 degrees in the plane"


@pytest.fixture(scope="module")
def models():
    return load_models()


@pytest.fixture(scope="module")
def volume():
    nodules = [NoduleSpec(diameter_mm=mm, margin="lobulated") for mm in (14.0, 22.0)]
    return make_phantom(3, settings=SMALL, nodules=nodules).volume


@pytest.fixture(scope="module")
def as_made(volume, models):
    return analyse(volume, models=models)


@pytest.fixture(scope="module")
def turned(volume, models, tmp_path_factory):
    return analyse(stored(volume, TURNED, tmp_path_factory.mktemp("turned")), models=models)


def stored(volume, form, folder):
    """The path of a volume that was written in one of the benchmark's forms."""
    suffix, reorientation = FORMS[form]
    path = folder / f"scan{suffix}"
    write_form(reoriented(volume, reorientation), path)
    return path


def assert_same(first, again):
    """The findings are the same; NIfTI rounds the affine to float32, everything else is exact."""
    difference = compare(first.findings, again.findings)
    assert difference.findings == difference.matched == len(first.findings) > 0
    assert difference.place_mm < 0.01
    assert max(difference.diameter, difference.volume, difference.malignancy) < 0.01
    for before, now in zip(first.findings, again.findings, strict=True):
        assert now.location == before.location
        assert now.measurements.texture == before.measurements.texture
        assert np.allclose(now.class_probabilities, before.class_probabilities, atol=2e-3)


def test_a_series_turned_in_the_plane_has_the_same_findings(as_made, turned):
    assert_same(as_made, turned)


def test_a_coronal_nifti_file_has_the_findings_of_the_axial_series(
    tmp_path, volume, as_made, models
):
    path = stored(volume, "NIfTI, coronal stack", tmp_path)
    assert_same(as_made, analyse(path, models=models))


def test_the_segmentation_of_a_turned_series_lies_on_the_grid_of_its_files(as_made, turned):
    first, again = (labels_of(analysis) for analysis in (as_made, turned))
    assert turned.volume.affine[0, 0] < 0 < as_made.volume.affine[0, 0]
    assert np.array_equal(again.get_fdata()[::-1, ::-1], first.get_fdata())
    assert first.get_fdata().max() == len(as_made.findings)
    for finding in as_made.findings:
        to_ras = np.diag([-1.0, -1.0, 1.0])
        x, y, z = nib.affines.apply_affine(
            np.linalg.inv(again.affine), to_ras @ finding.centre_world_mm
        )
        assert again.get_fdata()[round(x), round(y), round(z)] > 0


def labels_of(analysis):
    packed = analysis.render().files["segmentation.nii.gz"]
    return nib.Nifti1Image.from_bytes(gzip.decompress(packed))


def test_the_pixel_of_a_finding_is_that_of_the_image_as_it_is_stored(volume, as_made, turned):
    _, rows, columns = volume.shape_zyx
    for first, again in zip(as_made.findings, turned.findings, strict=True):
        x, y, _ = volume.voxel_xyz(first.centre_world_mm)
        pixel = (again.source.column, again.source.row)
        assert pixel == pytest.approx((columns - 1 - x, rows - 1 - y), abs=1e-3)


def test_an_unusual_orientation_is_still_reported(as_made, turned):
    first, again = ({notice.code for notice in analysis.notices} for analysis in (as_made, turned))
    assert again - first == {NoticeCode.ORIENTATION_UNUSUAL}


@pytest.mark.slow
def test_growth_is_the_same_however_the_earlier_study_is_stored(tmp_path):
    analyser = fake_analyser(scripted_config(tmp_path, segmenter=True))
    first, later = scanned(FIRST).volume, scanned(LATER).volume
    changes = []
    for form in ("DICOM, as it is", "DICOM, coronal stack"):
        folder = tmp_path / form
        folder.mkdir()
        (series,) = discover([stored(first, form, folder)]).series
        growth = analyser.analyse_volume(later, prior=Prior((series,), days=180)).growth
        changes.append([finding.change for finding in growth.findings])
    assert any(change is not None for change in changes[0])
    assert changes[1] == changes[0]
