"""Real series: equal to SimpleITK and dcm2niix where those are right, right where they are not."""

import shutil
import subprocess

import numpy as np
import pytest
from imagecodecs import jpegls_decode
from pydicom import dcmread
from pydicom.encaps import generate_frames
from pydicom.uid import ExplicitVRLittleEndian

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.dicom.grouping.series import group_instances
from hounsfield.preprocessing.dicom.headers.instance import read_instance
from hounsfield.preprocessing.dicom.pixels.reading import read_hu
from hounsfield.preprocessing.dicom.volume import read_dicom_volume
from hounsfield.preprocessing.errors import SeriesError
from hounsfield.preprocessing.files.sources import ByteSource
from hounsfield.preprocessing.hu_rounding import AIR_HU, MIN_HU
from tests.preprocessing.dicom_files import codes_of, only_series
from tests.real_series import REAL, needs_real_series

TRICKY = REAL / "tricky"

pytestmark = [
    pytest.mark.real,
    needs_real_series,
]

CHESTS = ("lidc-idri-0001", "lidc-idri-0002", "lung-pet-ct-dx-a0001", "cptac-lscc-c3n-00247")
PLAIN = ("other/plain-3slice-descending", "other/mixed-study-philips/S2020")


def _volume(folder):
    """The volume of the only series in a folder, without its DICOMDIR."""
    paths = [path for path in sorted(folder.iterdir()) if path.name != "DIRFILE"]
    (series,) = group_instances([read_instance(ByteSource(path)) for path in paths])
    return read_dicom_volume(series)


@pytest.mark.parametrize(
    "folder",
    [*(f"{name}/ct" for name in CHESTS), *(f"tricky/{name}" for name in PLAIN)],
)
def test_hu_and_place_equal_simpleitk(folder):
    import SimpleITK

    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(REAL / folder))
    theirs = SimpleITK.ReadImage(names)
    their_hu = SimpleITK.GetArrayFromImage(theirs)
    ours = _volume(REAL / folder)

    measured = their_hu >= MIN_HU
    assert np.array_equal(ours.hu[measured], their_hu[measured])
    assert (ours.hu[~measured] == AIR_HU).all()
    corner = [size - 1 for size in theirs.GetSize()]
    np.testing.assert_allclose(ours.affine[:3, 3], theirs.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(
        ours.world_mm(corner), theirs.TransformIndexToPhysicalPoint(corner), atol=1e-3
    )


@pytest.fixture(scope="module")
def uncompressed_chest(tmp_path_factory):
    """LIDC-IDRI-0001 without compression: Debian's dcm2niix was built without JPEG-LS."""
    folder = tmp_path_factory.mktemp("uncompressed")
    for path in (REAL / CHESTS[0] / "ct").iterdir():
        dataset = dcmread(path)
        (frame,) = generate_frames(dataset.PixelData, number_of_frames=1)
        dataset.PixelData = jpegls_decode(frame).tobytes()
        dataset["PixelData"].VR = "OW"
        dataset["PixelData"].is_undefined_length = False
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.save_as(folder / path.name)
    return folder


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
@pytest.mark.parametrize("folder", PLAIN)
def test_hu_and_place_equal_dcm2niix(folder, tmp_path):
    _assert_equal_to_dcm2niix(TRICKY / folder, tmp_path)


@pytest.mark.skipif(shutil.which("dcm2niix") is None, reason="dcm2niix is not installed")
def test_hu_and_place_of_a_whole_chest_equal_dcm2niix(uncompressed_chest, tmp_path):
    _assert_equal_to_dcm2niix(uncompressed_chest, tmp_path)


def _assert_equal_to_dcm2niix(folder, tmp_path):
    import nibabel

    command = ["dcm2niix", "-b", "n", "-z", "n", "-o", str(tmp_path), "-f", "x"]
    subprocess.run([*command, str(folder)], check=True, capture_output=True)
    theirs = nibabel.load(tmp_path / "x.nii")
    their_hu = np.asanyarray(theirs.dataobj)
    ours = _volume(folder)

    voxels = np.stack(np.meshgrid([0, 511], [0, 511], [0, len(ours.hu) - 1]), axis=-1).reshape(
        -1, 3
    )
    ras = ours.world_mm(voxels) * (-1, -1, 1)
    at = np.linalg.inv(theirs.affine) @ np.c_[ras, np.ones(len(ras))].T
    np.testing.assert_allclose(at[:3], np.rint(at[:3]), atol=2e-3)
    to_theirs = np.linalg.inv(theirs.affine) @ np.diag([-1, -1, 1, 1]) @ ours.affine
    # Both grids are the same but for flips of whole axes.
    flipped = their_hu[tuple(slice(None, None, int(np.sign(to_theirs[i, i]))) for i in range(3))]
    theirs_zyx = flipped.transpose(2, 1, 0)
    measured = theirs_zyx >= MIN_HU
    assert np.array_equal(ours.hu[measured], theirs_zyx[measured])


LOSSLESS = {
    "ctimage-all": [
        "CTImage.orig", "LittleEndianImplicit", "LittleEndianExplicit", "BigEndianExplicit",
        "DeflatedExplicit", "RLELossless", "JPEGProcess14_", "JPEGProcess14SV1", "JPEGLSLossless",
        "JPEG2000LosslessOnly",
    ],
    "wg04-ct1": ["CT1_UNC", "CT1_RLE", "CT1_JPLL", "CT1_JLSL", "CT1_J2KR"],
    "wg04-ct2": ["CT2_UNC", "CT2_RLE", "CT2_JPLL", "CT2_JLSL", "CT2_J2KR"],
    "ct1-endian": [
        "CT1_UNC.explicit_big_endian", "CT1_UNC.explicit_little_endian",
        "CT1_UNC.implicit_little_endian",
    ],
}  # fmt: skip


def _hu(path):
    instance = read_instance(ByteSource(path))
    hu = np.empty((instance.pixels.rows, instance.pixels.columns), np.int16)
    read_hu(instance, instance.frames[0], hu)
    return hu, instance.facts.lossy


@pytest.mark.parametrize("folder", LOSSLESS)
def test_every_lossless_file_decodes_to_the_pixels_of_its_siblings(folder):
    import SimpleITK

    lossless = {
        path.name: path
        for path in sorted((TRICKY / "transfer-syntaxes" / folder).iterdir())
        if path.name.startswith(tuple(LOSSLESS[folder]))
    }
    assert len(lossless) == len(LOSSLESS[folder])
    first, *others = (_hu(path) for path in lossless.values())
    assert not first[1]
    for name, (hu, lossy) in zip(list(lossless)[1:], others, strict=True):
        assert np.array_equal(hu, first[0]), name
        assert not lossy
    their_hu = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(next(iter(lossless.values()))))[0]
    measured = their_hu >= MIN_HU
    assert np.array_equal(first[0][measured], their_hu[measured])


@pytest.mark.parametrize(
    ("name", "most_hu"),
    [("81", 1), ("91", 5), ("51", 36), ("53", 36), ("55", 36), ("50", 65)],
)
def test_lossy_files_are_near_the_original_and_marked(name, most_hu):
    folder = TRICKY / "transfer-syntaxes" / "ctimage-all"
    (path,) = folder.glob(f"*1.2.840.10008.1.2.4.{name}.dcm")
    original, _ = _hu(folder / "CTImage.orig.dcm")
    hu, lossy = _hu(path)
    tissue = original > -900
    assert np.abs(hu.astype(int) - original)[tissue].max() <= most_hu
    assert lossy


@pytest.mark.parametrize(
    ("folder", "degrees", "spacing_mm"),
    [
        ("tilt/d2n-tilt14", 14.0, 4.8515),
        ("tilt/philips-tilt-minus18.5", 18.5, 2.3708),
        ("uneven/ge-tilt18.5-variable", 18.5, 4.0025),
    ],
)
def test_tilted_series_are_positioned_as_their_headers_say(folder, degrees, spacing_mm):
    volume = _volume(TRICKY / folder)
    (notice,) = [n for n in volume.notices if n.code == "gantry_tilt_corrected"]
    assert notice.numbers["degrees"] == pytest.approx(degrees, abs=0.02)
    assert volume.spacing_mm[2] == pytest.approx(spacing_mm, abs=1e-3)
    columns = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-6)


def test_a_tilted_phantom_keeps_each_pixel_at_its_true_position():
    folder = TRICKY / "tilt/philips-tilt-minus18.5"
    volume = _volume(folder)
    by_uid = {i.sop_instance_uid: i for i in only_series(folder).instances}
    rows, columns = np.mgrid[60:460:7, 60:460:7]
    for frame in volume.source_frames[::7]:
        instance = by_uid[frame.sop_instance_uid]
        original = np.empty((512, 512), np.int16)
        read_hu(instance, instance.frames[0], original)
        pixels = np.stack([columns, rows, np.zeros_like(rows)], axis=-1)
        places = pixels @ frame.affine[:3, :3].T + frame.affine[:3, 3]
        x, y, z = np.moveaxis(volume.voxel_xyz(places), -1, 0)
        np.testing.assert_allclose(z, np.rint(z), atol=1e-3)
        below = np.floor(y + 1e-6).astype(int)
        part = y - below
        plane = volume.hu[round(float(z[0, 0]))]
        column = np.rint(x).astype(int)
        shown = (1 - part) * plane[below, column] + part * plane[below + 1, column]
        difference = np.abs(shown - original[rows, columns])
        assert np.median(difference) <= 10
        assert np.corrcoef(shown.ravel(), original[rows, columns].ravel())[0, 1] > 0.995


def test_uneven_real_slices_are_resampled_from_three_true_gaps():
    volume = _volume(TRICKY / "uneven/ge-tilt18.5-variable")
    (notice,) = [n for n in volume.notices if n.code == "uneven_spacing"]
    assert notice.numbers["smallest_gap_mm"] == pytest.approx(1.081, abs=1e-3)
    assert notice.numbers["largest_gap_mm"] == pytest.approx(6.999, abs=1e-3)
    normal = volume.affine[:3, 2] / volume.spacing_mm[2]
    span = volume.world_mm((0, 0, len(volume.hu) - 1)) - volume.world_mm((0, 0, 0))
    assert span @ normal == pytest.approx(144.09, abs=0.02)


def test_a_missing_slice_is_filled_where_it_was():
    volume = _volume(TRICKY / "missing-slice/d2n-gap-5-10mm")
    assert volume.spacing_mm[2] == pytest.approx(5.0, abs=1e-3)
    assert volume.world_mm((0, 0, 3))[2] == pytest.approx(33.107, abs=2e-3)
    between = (volume.hu[2].astype(int) + volume.hu[4]) / 2
    assert np.abs(volume.hu[3] - between).max() <= 0.5


@pytest.mark.parametrize(
    ("folder", "reason", "words"),
    [
        ("missing-slice/pydicom-ct2-200mm-gap", Reason.MISSING_SLICES, "gap of 202.5 mm"),
        ("duplicate/dicom-numpy-dupe", Reason.MISSING_SLICES, "10 of 189 expected slices"),
        ("transfer-syntaxes/ctimage-all", Reason.DUPLICATE_SERIES, "have the same position"),
        ("multiframe/nema-ect-perfusion", Reason.DERIVED, "perfusion"),
        ("other/coronal-mpr-pixrep-pair", Reason.DERIVED, "reformat"),
        ("other/per-slice-rescale-mr", Reason.NOT_CT, "MR"),
        ("not-ct/philips-sc-series-S4010", Reason.SECONDARY_CAPTURE, "secondary capture"),
        ("other/dicomdir-fileset/98892001/CT2N", Reason.LOCALIZER, "localizer"),
    ],
)
def test_stacks_that_peers_accept_silently_are_refused(folder, reason, words):
    series = only_series(TRICKY / folder)
    assert series.rejection.reason is reason
    assert words in series.rejection.message
    assert not series.readable


def test_one_exact_copy_is_dropped_before_the_verdict():
    series = only_series(TRICKY / "duplicate/dicom-numpy-dupe")
    assert len(series.instances) == 10
    assert "duplicate_slices_dropped" in codes_of(series.notices)


def test_a_legacy_converted_instance_equals_its_single_slices():
    frames = _volume(TRICKY / "multiframe/dcmqi-legacy-23x38x3")
    singles = _volume(TRICKY / "multiframe/dcmqi-legacy-23x38x3-singles")
    assert np.array_equal(frames.hu, singles.hu)
    np.testing.assert_allclose(frames.affine, singles.affine, atol=1e-4)
    np.testing.assert_allclose(frames.affine[:3, 3], (46.465, 5.019, -177.75), atol=1e-3)


def test_a_sign_conflict_is_resolved_by_plausible_hu():
    folder = TRICKY / "other/coronal-mpr-pixrep-pair"
    first, second = (_hu(path)[0] for path in sorted(folder.iterdir()))
    assert np.array_equal(first, second)
    assert first.max() == 1717


@pytest.mark.parametrize(
    ("folder", "lowest", "highest"),
    [("other/hu-intercept-0", -1000, 1457), ("other/hu-lung-lctsc", -1000, 1035)],
)
def test_single_real_slices_keep_their_hu(folder, lowest, highest):
    volume = _volume(TRICKY / folder)
    assert (volume.hu.min(), volume.hu.max()) == (lowest, highest)


def _damage(path):
    try:
        return read_instance(ByteSource(path)).damage
    except SeriesError as error:
        return error


def test_damaged_files_are_truncated_and_intact_ones_read():
    named = {path.name: _damage(path) for path in (TRICKY / "bad/truncated").glob("CT*")}
    whole = {name for name, error in named.items() if error is None}
    assert whole == {"CT_small.whole.dcm", "CT_small.cut-last-bytes.dcm"}
    assert {e.reason for e in named.values() if e is not None} == {Reason.TRUNCATED}


def test_damaged_copies_of_a_whole_slice_are_parts_of_their_own():
    folder = TRICKY / "bad/truncated"
    paths = [folder / f"CT_small.{kind}.dcm" for kind in ("whole", "cut-half-of-pixels")]
    whole, cut = group_instances([read_instance(ByteSource(path)) for path in paths])
    assert whole.readable
    assert cut.rejection.reason is Reason.TRUNCATED


def test_a_study_of_many_series_keeps_them_apart():
    folder = TRICKY / "other/mixed-study-philips"
    paths = list(folder.rglob("I*"))
    series = group_instances([read_instance(ByteSource(path)) for path in paths])
    shapes = {part.shape_zyx for part in series if part.readable}
    assert shapes == {(6, 512, 512), (12, 512, 512)}
    assert {part.rejection.reason for part in series if not part.readable} == {
        Reason.LOCALIZER,
        Reason.SECONDARY_CAPTURE,
    }
