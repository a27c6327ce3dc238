"""Activation maps are drawn over a finding's planes, and saved, where they lie in the patient."""

import gzip
import io
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from hounsfield.models.findings import ActivationMap, NoduleClass
from hounsfield.pipeline.config import load_config
from hounsfield.pipeline.report.figures.activation_map import activation_files, activation_picture
from hounsfield.pipeline.report.figures.finding_picture import finding_panels
from hounsfield.pipeline.report.figures.panel import png
from tests.pipeline.report.test_pictures import FINDING, GAP, SIZE, volume_with_ball
from tests.preprocessing.synthetic_chest import value_at

CLASS_SHOWN = 2
OBLIQUE = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Axes of a map that runs along no axis of the picture."""


def finding_with_activation_at(places_world_mm, *, step_mm=4.0, cells=10):
    """A finding whose third class is activated with the given sign around each place, 5 mm wide."""
    affine = np.eye(4)
    affine[:3, :3] = OBLIQUE * step_mm
    affine[:3, 3] = -affine[:3, :3] @ np.full(3, (cells - 1) / 2)
    zyx = np.indices((cells,) * 3).reshape(3, -1).T
    world_mm = zyx[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
    activation = np.zeros((4, cells**3), np.float32)
    for place_world_mm, sign in places_world_mm:
        away_mm = np.linalg.norm(world_mm - place_world_mm, axis=1)
        activation[CLASS_SHOWN] += sign * np.exp(-((away_mm / 5) ** 2) / 2)
    activation_map = ActivationMap(activation.reshape(4, cells, cells, cells), affine)
    probabilities = (0.1, 0.1, 0.7, 0.1)
    return replace(FINDING, class_probabilities=probabilities, activation_map=activation_map)


@pytest.fixture(scope="module")
def plain():
    volume = volume_with_ball((0.0, 0.0, 0.0), flipped=False)
    return finding_panels(volume, FINDING, load_config().report)


def redness(plain, finding):
    """How much redder than blue each panel is, where it changed from the plain picture."""
    sheets = []
    for content in (png(plain), activation_picture(plain, finding, finding.activation_map)):
        sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
        sheets.append(sheet[:SIZE])
    change = sheets[1] - sheets[0]
    red = change[..., 0] - change[..., 2]
    return [red[:, start : start + SIZE] for start in range(0, 3 * SIZE, SIZE + GAP)]


def at(panel, right_mm, down_mm):
    row, column = (round(SIZE / 2 + mm * SIZE / 60) for mm in (down_mm, right_mm))
    return panel[row - 2 : row + 3, column - 2 : column + 3].mean()


@pytest.mark.parametrize(
    ("place_mm", "panel", "right_mm", "down_mm"),
    [
        ((12.0, 0.0, 0.0), 0, 12, 0),
        ((0.0, 12.0, 0.0), 0, 0, 12),
        ((12.0, 0.0, 0.0), 1, 12, 0),
        ((0.0, 0.0, 12.0), 1, 0, -12),
        ((0.0, 12.0, 0.0), 2, 12, 0),
        ((0.0, 0.0, 12.0), 2, 0, -12),
    ],
)
def test_activation_for_the_class_is_red_at_its_place_and_nowhere_else(
    plain, place_mm, panel, right_mm, down_mm
):
    shown = redness(plain, finding_with_activation_at([(place_mm, 1)]))[panel]
    assert at(shown, right_mm, down_mm) > 60
    assert at(shown, -right_mm, -down_mm) == 0


def test_activation_against_the_class_is_blue(plain):
    places = [((12.0, 0.0, 0.0), 1), ((-12.0, 0.0, 0.0), -1)]
    axial = redness(plain, finding_with_activation_at(places))[0]
    assert at(axial, 12, 0) > 60
    assert at(axial, -12, 0) < -60


def test_a_map_of_zeros_leaves_the_panels_as_they_are(plain):
    assert not np.any(redness(plain, finding_with_activation_at([])))


def test_the_file_holds_the_activation_for_the_class_at_its_place():
    place_world_mm = (6.0, -10.0, 14.0)
    finding = finding_with_activation_at([(place_world_mm, 1)])
    files = activation_files([FINDING, finding])
    assert list(files) == ["finding_02_cam.nii.gz"]
    image = nib.Nifti1Image.from_bytes(gzip.decompress(files["finding_02_cam.nii.gz"]))
    saved = np.asarray(image.dataobj).transpose(2, 1, 0)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    assert np.array_equal(saved, finding.activation_map.activation[CLASS_SHOWN])
    assert value_at(saved, to_lps, place_world_mm) == pytest.approx(1.0)


def test_a_carcinoma_is_contrasted_with_normal_and_normal_with_the_carcinomas():
    activation = np.array([3.0, 1.0, 2.0, -6.0], np.float32).reshape(4, 1, 1, 1)
    activation_map = ActivationMap(activation, np.eye(4))
    assert activation_map.contrast_for(NoduleClass.ADENOCARCINOMA).item() == 9
    assert activation_map.contrast_for(NoduleClass.SQUAMOUS_CELL_CARCINOMA).item() == 8
    assert activation_map.contrast_for(NoduleClass.NORMAL).item() == -8


def test_the_same_map_gives_the_same_bytes(plain):
    finding = finding_with_activation_at([((3.0, 0.0, 0.0), 1)])
    pictures = [activation_picture(plain, finding, finding.activation_map) for _ in range(2)]
    assert pictures[0] == pictures[1]
    assert activation_files([finding]) == activation_files([finding])
