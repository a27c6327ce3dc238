import numpy as np
import pytest

from hounsfield.models.training.masses.synthesis.canvas import IGNORED, MASS, Canvas
from hounsfield.models.training.masses.synthesis.cases import make_case
from hounsfield.models.training.masses.synthesis.opacities import OPACITIES
from hounsfield.models.training.masses.synthesis.sites import Surface
from hounsfield.models.training.masses.synthesis.warping import warp_chest
from hounsfield.preprocessing.lungs.morphology import dilate


def one_mass(chest, contact, seed, **options):
    """The first case with a mass; some sites have no room for one."""
    for number in range(20):
        rng = np.random.default_rng((seed, number))
        case = make_case(
            chest, rng, diameters_mm=(45.0, 50.0), contacts=(contact,), opacities=False, **options
        )
        if case.masses:
            return case
    pytest.fail(f"no mass at the {contact}")


def test_the_same_seed_makes_the_same_case(chest):
    first, second = (make_case(chest, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.lungs.hu, second.lungs.hu)
    assert np.array_equal(first.labels, second.labels)
    assert first.masses == second.masses


@pytest.mark.parametrize("contact", ["mediastinum", "chest wall", "diaphragm", "inside"])
def test_a_mass_replaces_lung_by_soft_tissue_and_is_measured(chest, contact):
    case = one_mass(chest, contact, 1, deform=False)
    (mass,) = case.masses
    inside = case.labels == MASS
    assert mass.contact == contact
    assert mass.aerated_fraction >= 0.35
    assert np.cbrt(inside.sum() * 27 * 6 / np.pi) == pytest.approx(mass.diameter_mm, rel=1e-6)
    assert mass.long_axis_mm > 0.95 * mass.diameter_mm
    assert np.allclose(np.argwhere(inside).mean(axis=0), mass.centre_zyx)
    was_lung = inside & (chest.hu < -700)
    assert np.median(case.lungs.hu[was_lung]) > -150 or case.lungs.hu[was_lung].min() < -800


def test_a_mass_at_the_chest_wall_touches_it(chest):
    case = one_mass(chest, "chest wall", 2, deform=False)
    inside = case.labels == MASS
    assert (dilate(inside) & (chest.lungs == 0)).any()


def test_ignored_voxels_of_the_chest_stay_ignored(chest):
    case = make_case(chest, np.random.default_rng(1), contacts=(), deform=False, opacities=False)
    assert np.array_equal(case.labels == IGNORED, chest.ignored)


def test_warping_moves_the_lungs_and_keeps_their_size_and_air(chest, rng):
    warped = warp_chest(chest, rng)
    assert warped.hu.shape == chest.hu.shape
    before, after = np.count_nonzero(chest.lungs), np.count_nonzero(warped.lungs)
    assert 0.4 * before < after < 2.0 * before
    assert not np.array_equal(warped.lungs, chest.lungs)
    assert np.median(warped.hu[warped.lungs > 0]) < -700


@pytest.mark.parametrize("paint", [paint for paint, _ in OPACITIES], ids=lambda f: f.__name__)
def test_an_opacity_changes_the_chest_and_is_never_labelled_a_mass(chest, paint):
    labels = np.zeros(chest.hu.shape, np.uint8)
    canvas = Canvas(chest.hu.astype(np.float32), chest.lungs, labels, Surface(chest.lungs))
    before = canvas.hu.copy()
    for seed in range(3):
        paint(canvas, np.random.default_rng(seed))
    assert not np.array_equal(canvas.hu, before)
    assert not (canvas.labels == MASS).any()
    assert np.isfinite(canvas.hu).all()
