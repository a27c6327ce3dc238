import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from hounsfield.models.inference.loading import load_mass_detector
from hounsfield.models.inference.mass_detector import MassDetector
from hounsfield.models.store.folders import model_folder
from hounsfield.models.store.manifest import Calibration
from hounsfield.models.views.masses import SIZE_DIVISOR, mass_view
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.lungs.segment import find_lungs
from tests.preprocessing.synthetic_chest import SyntheticChest

CENTRE, RADIUS_MM = (-95.0, 20.0, 10.0), 25.0


@pytest.fixture(scope="module")
def lungs():
    chest = SyntheticChest()
    chest.paint(CENTRE, (RADIUS_MM,) * 3, 40)
    return find_lungs(chest.volume())


def a_detector(lungs, balls):
    """A detector whose network segments balls: centre in LPS mm, radius in mm, logit."""
    view = mass_view(lungs)
    first = [part.start for part in view.box]

    def network(image):
        assert all(size % SIZE_DIVISOR == 0 for size in image.shape[2:])
        logits = np.full((1, 1, *image.shape[2:]), -6.0, np.float32)
        for centre, radius_mm, logit in balls:
            x, y, z = (np.linalg.inv(lungs.affine) @ (*centre, 1.0))[:3]
            grid = np.ogrid[tuple(slice(0, size) for size in image.shape[2:])]
            squared = sum(
                (axis + start - position) ** 2
                for axis, start, position in zip(grid, first, (z, y, x), strict=True)
            )
            logits[0, 0][squared <= (radius_mm / 3) ** 2] = logit
        return logits

    manifest = SimpleNamespace(calibration=Calibration(slope=0.5), operating_points=None)
    return MassDetector(manifest, network)


def test_a_segmented_ball_becomes_a_candidate_of_its_position_and_size(lungs):
    (mass,) = a_detector(lungs, [(CENTRE, RADIUS_MM, 4.0)]).detect(lungs)
    assert mass.centre_world_mm == pytest.approx(CENTRE, abs=1.5)
    assert mass.diameter_mm == pytest.approx(2 * RADIUS_MM, rel=0.05)
    assert mass.long_axis_mm == pytest.approx(2 * RADIUS_MM, rel=0.06)
    assert mass.score == pytest.approx(1 / (1 + np.exp(-2.0)))
    assert mass.mask.shape == lungs.hu.shape


def test_pieces_that_nearly_touch_are_one_mass(lungs):
    x, y, z = CENTRE
    balls = [((x, y, z - 17), 14, 3.0), ((x, y, z + 17), 14, 3.0)]
    assert len(a_detector(lungs, balls).detect(lungs)) == 1


def test_the_best_score_comes_first(lungs):
    balls = [((-80, 10, -60), 15, 2.0), ((75, 10, 20), 15, 5.0)]
    first, second = a_detector(lungs, balls).detect(lungs)
    assert first.score > second.score
    assert first.centre_world_mm[0] > 0 > second.centre_world_mm[0]


def test_small_parts_and_parts_outside_the_search_mask_are_dropped(lungs):
    balls = [((-80, 10, -60), 8, 5.0), ((0.0, 90.0, -140.0), 25, 5.0)]
    assert a_detector(lungs, balls).detect(lungs) == []


def test_the_threshold_is_the_default_operating_point_or_one_half(lungs):
    assert a_detector(lungs, []).default_threshold == 0.5
    shipped = load_mass_detector(model_folder("mass_detector"), threads=1)
    assert shipped.default_threshold == 0.5


def test_a_model_of_another_task_is_refused():
    with pytest.raises(UsageError, match="a mass_detector is needed, but nodule_rater is a rater"):
        load_mass_detector(model_folder("nodule_rater"), threads=1)


def test_a_mass_detector_on_a_cpu_imports_neither_torch_nor_monai():
    code = (
        "import json, sys\n"
        "from hounsfield.models.inference.loading import load_mass_detector\n"
        "from hounsfield.models.store.folders import model_folder\n"
        "load_mass_detector(model_folder('mass_detector'), threads=1, runtime='openvino')\n"
        "print(json.dumps(sorted({'torch', 'monai'} & set(sys.modules))))\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert json.loads(process.stdout) == [], process.stderr
