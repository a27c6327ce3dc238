"""The public API: ``import hounsfield as hf``."""

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK

import hounsfield as hf
from hounsfield.data.phantom.ct_series import ct_datasets, save_series
from hounsfield.pipeline.config import RunConfig, load_config
from tests.pipeline.fakes import fake_models


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api") / "study"
    return hf.make_phantom(3, size="small", nodules=2, folder=folder), folder


@pytest.fixture(scope="module")
def models():
    return fake_models(load_config())


def test_importing_loads_nothing_and_every_public_name_can_be_had():
    program = (
        "import sys, hounsfield as hf\n"
        "heavy = {'torch', 'openvino', 'numpy', 'scipy', 'pydicom', 'pydantic', 'SimpleITK'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert hf.__version__\n"
        "assert all(getattr(hf, name) for name in hf.__all__)\n"
        "assert not {'torch', 'openvino'} & set(sys.modules)\n"
        "assert set(hf.__all__) <= set(dir(hf))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = hf.nonsense


def test_a_study_is_discovered_and_read(phantom):
    made, folder = phantom
    (series,) = hf.discover(folder)
    for volume in (hf.read(folder), hf.read(str(folder)), hf.read(series)):
        np.testing.assert_array_equal(volume.hu, made.volume.hu)
        np.testing.assert_allclose(volume.affine, made.volume.affine, atol=1e-3)
    assert series.facts.series_uid == made.volume.series.series_uid


def test_an_array_becomes_a_volume_and_stays_as_it_was(phantom):
    made, _ = phantom
    hu, affine = made.volume.hu.copy(), made.volume.affine.copy()
    volume = hf.read(hu, affine)
    hu[:], affine[:] = 7, 7
    np.testing.assert_array_equal(volume.hu, made.volume.hu)
    np.testing.assert_array_equal(volume.affine, made.volume.affine)
    assert not volume.hu.flags.writeable
    with pytest.raises(hf.UsageError, match="an array needs an affine"):
        hf.read(hu)


def test_a_simpleitk_image_becomes_a_volume_in_the_same_place(phantom):
    made, _ = phantom
    image = SimpleITK.GetImageFromArray(made.volume.hu)
    image.SetSpacing(made.volume.spacing_mm)
    image.SetOrigin(made.volume.affine[:3, 3].tolist())
    volume = hf.read(image)
    corner = tuple(n - 1 for n in made.volume.shape_zyx[::-1])
    np.testing.assert_allclose(
        volume.world_mm(corner), image.TransformIndexToPhysicalPoint(corner), atol=1e-6
    )
    np.testing.assert_array_equal(volume.hu, made.volume.hu)


def test_lungs_are_found_in_a_volume(phantom):
    lungs = hf.find_lungs(phantom[0].volume)
    assert lungs.left_ml > 500
    assert lungs.right_ml > 500


@pytest.mark.parametrize("shift_mm", [-400.0, 180.0, 5000.0])
def test_an_array_without_a_true_position_keeps_its_two_lungs(phantom, shift_mm):
    made, _ = phantom
    affine = made.volume.affine.copy()
    affine[0, 3] += shift_mm
    lungs, moved = (hf.find_lungs(v) for v in (made.volume, hf.read(made.volume.hu, affine)))
    assert moved.left_ml == pytest.approx(lungs.left_ml, rel=0.05)
    assert moved.right_ml == pytest.approx(lungs.right_ml, rel=0.05)


def test_a_path_and_its_volume_give_the_same_findings_with_typed_measurements(phantom, models):
    _, folder = phantom
    by_path = hf.analyse(folder, models=models)
    by_volume = hf.analyse(hf.read(folder), models=models)
    assert by_path.findings
    first = by_path.findings[0]
    assert first.measurements.volume_mm3 > 0
    assert first.likeliest_class in set(type(first.likeliest_class))
    places = [
        [finding.centre_world_mm for finding in analysis.findings]
        for analysis in (by_path, by_volume)
    ]
    assert places[0] == places[1]
    assert by_volume.report.series.format == "array"
    assert by_path.report.series.format == "dicom"


def test_an_analysis_saves_its_report_beside_other_files(phantom, models, tmp_path):
    analysis = hf.analyse(phantom[1], models=models)
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "mine.txt").write_text("mine")
    page = analysis.save(tmp_path / "report")
    assert page.read_text().startswith("<!DOCTYPE html>")
    names = {path.name for path in page.parent.iterdir()}
    assert {"report.json", "key_image.png", "segmentation.nii.gz", "mine.txt"} <= names


def test_the_shipped_models_are_loaded_once_for_many_volumes(phantom):
    models = hf.load_models(threads=1)
    first, second = (hf.analyse(phantom[1], models=models) for _ in range(2))
    assert [f.score for f in first.findings] == [f.score for f in second.findings]


def test_a_folder_without_series_is_a_clear_error(tmp_path):
    with pytest.raises(hf.UsageError, match="holds no series that can be read"):
        hf.analyse(tmp_path)
    with pytest.raises(hf.HounsfieldError, match="nowhere"):
        hf.read(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None,), {}, "source must be a path, a series"),
        ((b"path",), {}, "got bytes"),
        ((np.zeros((2, 2, 2)),), {}, "an array needs an affine"),
        (("folder", np.eye(4)), {}, "affine goes with an array only"),
        ((SimpleITK.Image(2, 2, 2, SimpleITK.sitkInt16), np.eye(4)), {}, "affine goes with an"),
        ((np.zeros((2, 2, 2)), np.eye(4)), {"series_uid": "1.2"}, "series_uid goes with a path"),
    ],
    ids=["nothing", "bytes", "no affine", "path and affine", "image and affine", "array and uid"],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, options, message):
    with pytest.raises(hf.UsageError, match=message):
        hf.read(*arguments, **options)


def test_a_label_map_is_refused_before_its_buffer_is_read():
    labels = SimpleITK.Cast(SimpleITK.Image(4, 4, 4, SimpleITK.sitkUInt8), SimpleITK.sitkLabelUInt8)
    with pytest.raises(ValueError, match="image must hold HU, got a label"):
        hf.read(labels)


def test_what_is_no_volume_is_named():
    for call in (hf.find_lungs, hf.analyse):
        with pytest.raises(hf.UsageError, match="a volume is needed, got ndarray"):
            call(np.zeros((4, 4, 4)))
    with pytest.raises(hf.UsageError, match="size must be full or small, got 'tiny'"):
        hf.make_phantom(size="tiny")
    with pytest.raises(hf.UsageError, match="nodules must be an integer, 0 to 100, got 1000"):
        hf.make_phantom(size="small", nodules=1000)
    for seed in (-1, 1.5, "1"):
        with pytest.raises(hf.UsageError, match="seed must be an integer, 0 or more"):
            hf.make_phantom(seed, size="small")
    for threads in (0, "a", 2.0):
        with pytest.raises(hf.UsageError, match="threads must be an integer, 1 or more"):
            hf.load_models(threads=threads)


def test_of_several_studies_the_series_is_named_by_its_uid(phantom, models, tmp_path):
    made, folder = phantom
    (tmp_path / "both").mkdir()
    (tmp_path / "both" / "first").symlink_to(folder)
    other = hf.make_phantom(4, size="small", nodules=0, folder=tmp_path / "both" / "second")
    with pytest.raises(hf.UsageError, match="2 series to choose from; name one by its UID"):
        hf.analyse(tmp_path / "both", models=models)
    uid = other.volume.series.series_uid
    analysis = hf.analyse(tmp_path / "both", models=models, series_uid=uid)
    assert analysis.volume.series.series_uid == uid
    assert len(repr(analysis)) < 200
    assert len(repr(hf.discover(folder)[0])) < 2000
    assert made.volume.series.series_uid in repr(made.volume)


@pytest.mark.parametrize("call", [hf.discover, hf.read, hf.analyse], ids=lambda call: call.__name__)
def test_an_empty_path_is_not_the_current_folder(call):
    with pytest.raises(hf.UsageError, match="the path is empty"):
        call("")


def test_an_array_of_a_few_slices_is_refused_like_a_file_of_a_few_slices():
    volume = hf.read(np.full((3, 200, 200), -800, np.int16), np.diag((1.5, 1.5, 2.0, 1.0)))
    with pytest.raises(hf.SeriesError, match="3 slices over 6") as caught:
        hf.analyse(volume)
    assert caught.value.reason == "too_few_slices"


def test_given_models_are_used_and_none_are_loaded(phantom, models, monkeypatch):
    def refuse(*_arguments, **_options):
        pytest.fail("models were loaded")

    monkeypatch.setattr("hounsfield.pipeline.analysis.series.load_model_set", refuse)
    analysis = hf.analyse(hf.read(phantom[1]), models=models)
    assert {finding.class_probabilities for finding in analysis.findings} == {
        (0.62, 0.05, 0.21, 0.12)  # what the given classifier says of everything
    }


@pytest.mark.parametrize(("kernel", "chosen"), [("soft", "B30f"), ("lung", "B70f")])
def test_the_configured_kernel_decides_which_series_is_analysed(
    tmp_path, monkeypatch, kernel, chosen
):
    made = hf.make_phantom(3, size="small", nodules=0).volume
    for number, name in enumerate(("B30f", "B70f")):
        facts = replace(made.series, convolution_kernel=name, series_uid=f"1.2.{number}")
        save_series(ct_datasets(replace(made, series=facts)), tmp_path / name)
    analysed = []
    analyser = SimpleNamespace(analyse_series=analysed.append)
    monkeypatch.setattr(
        "hounsfield.pipeline.analysis.series.load_analyser", lambda *_, **__: analyser
    )
    values = load_config().model_dump()
    values["series"]["kernel"] = kernel
    hf.analyse(tmp_path, config=RunConfig.model_validate(values))
    assert [series.facts.convolution_kernel for series in analysed] == [chosen]
