import numpy as np
import pytest

from hounsfield.data.phantom import HISTOLOGIES, NoduleSpec, draw_nodule, paint_nodule
from hounsfield.models.findings import NoduleClass

LUNG_HU = -860


def painted(spec, spacing_xyz=(0.7, 0.7, 1.0), seed=0, **options):
    """Paints into empty lung, a little off the voxel centres."""
    reach = 1.5 * spec.diameter_mm + 8
    shape = [int(2 * reach / s) for s in spacing_xyz[::-1]]
    hu = np.full(shape, LUNG_HU, np.float32)
    centre = tuple(n / 2 + 0.3 for n in shape)
    rng = np.random.default_rng(seed)
    return hu, centre, paint_nodule(hu, spacing_xyz, centre, spec, rng, **options)


@pytest.mark.parametrize("margin", ["smooth", "lobulated", "spiculated"])
@pytest.mark.parametrize("spacing_xyz", [(0.7, 0.7, 1.0), (1.4, 1.4, 3.5)])
@pytest.mark.parametrize("diameter_mm", [4.0, 11.0, 40.0])
def test_volume_is_that_of_a_sphere_of_the_diameter_at_any_spacing(
    diameter_mm, spacing_xyz, margin
):
    spec = NoduleSpec(diameter_mm=diameter_mm, margin=margin, elongation=1.3)
    _, _, nodule = painted(spec, spacing_xyz)
    sphere_mm3 = np.pi / 6 * diameter_mm**3
    assert nodule.volume_mm3 == pytest.approx(sphere_mm3, rel=1e-6)
    assert nodule.fraction.sum() * np.prod(spacing_xyz) == pytest.approx(sphere_mm3, rel=0.03)


@pytest.mark.parametrize("margin", ["smooth", "lobulated"])
def test_the_centre_is_the_centre_of_mass_of_the_painted_nodule(margin):
    spec = NoduleSpec(diameter_mm=15, margin=margin, elongation=1.5)
    hu, centre, nodule = painted(spec, seed=3)
    assert nodule.centre_voxel_zyx == pytest.approx(centre)
    added = hu - LUNG_HU
    indices = np.indices(hu.shape).reshape(3, -1)
    centre_of_mass = (indices * added.ravel()).sum(1) / added.sum()
    assert centre_of_mass == pytest.approx(centre, abs=0.1)


def test_the_lung_cuts_a_nodule_and_the_ground_truth_describes_the_remainder():
    spec = NoduleSpec(diameter_mm=20)
    shape = (60, 60, 60)
    lung = np.ones(shape, np.float32)
    lung[:, 30:] = 0
    hu = np.full(shape, LUNG_HU, np.float32)
    nodule = paint_nodule(
        hu,
        (1, 1, 1),
        (30, 29.5, 30),
        spec,
        np.random.default_rng(1),
        lung_fraction=lung.__getitem__,
    )
    assert np.all(hu[:, 30:] == LUNG_HU)
    assert nodule.volume_mm3 == pytest.approx(np.pi / 12 * 20**3, rel=0.1)
    assert nodule.diameter_mm == pytest.approx((6 * nodule.volume_mm3 / np.pi) ** (1 / 3))
    assert nodule.centre_voxel_zyx[1] < 27


def middle_hu(**attributes):
    hu, centre, _ = painted(NoduleSpec(diameter_mm=24, **attributes), seed=5)
    z, y, x = (int(c) for c in centre)
    return float(hu[z - 2 : z + 3, y - 2 : y + 3, x - 2 : x + 3].mean())


def test_density_cavity_and_necrosis_are_visible_in_the_hu():
    assert 0 < middle_hu(density="solid") < 80
    assert middle_hu(density="calcified") > 150
    assert -750 < middle_hu(density="ground_glass") < -400
    assert middle_hu(density="part_solid", solid_fraction=0.6) > -100
    assert middle_hu(cavity=0.5) < -900
    assert middle_hu(necrosis=0.6) < middle_hu(density="solid")


def test_spicules_reach_beyond_the_surface():
    beyond = []
    for margin in ("smooth", "spiculated"):
        hu, centre, nodule = painted(NoduleSpec(diameter_mm=16, margin=margin), seed=2)
        away = np.linalg.norm((np.indices(hu.shape).T - centre) * (1.0, 0.7, 0.7), axis=-1).T
        beyond.append(int(((hu > LUNG_HU + 100) & (away > 0.75 * nodule.diameter_mm)).sum()))
    assert beyond[0] == 0
    assert beyond[1] > 20


def test_integer_and_float_arrays_get_the_same_nodule():
    spec = NoduleSpec(diameter_mm=9, density="part_solid")
    as_float = np.full((40, 40, 40), LUNG_HU, np.float32)
    as_int = as_float.astype(np.int16)
    for hu in (as_float, as_int):
        paint_nodule(hu, (1, 1, 1), (20, 20, 20), spec, np.random.default_rng(4))
    assert np.array_equal(np.rint(as_float), as_int)


def test_blur_of_the_image_spreads_a_nodule_but_keeps_its_mass():
    spec = NoduleSpec(diameter_mm=8)
    sharp, _, _ = painted(spec)
    soft, _, _ = painted(spec, psf_sigma_mm_zyx=(1.0, 1.0, 1.0))
    assert soft.max() < sharp.max()
    assert (soft - LUNG_HU).sum() == pytest.approx((sharp - LUNG_HU).sum(), rel=0.03)


def test_classes_have_the_names_of_the_contract():
    assert set(HISTOLOGIES) == {kind.value for kind in NoduleClass}


def test_nodules_of_a_class_have_its_typical_features():
    rng = np.random.default_rng(0)
    specs_of = {name: [draw_nodule(name, rng) for _ in range(300)] for name in HISTOLOGIES}

    def fraction(name, rule):
        return np.mean([rule(spec) for spec in specs_of[name]])

    assert all(spec.histology == name for name, specs in specs_of.items() for spec in specs)
    assert fraction("squamous_cell_carcinoma", lambda s: s.cavity > 0) > 0.3
    assert fraction("squamous_cell_carcinoma", lambda s: s.place == "hilar") > 0.5
    assert fraction("adenocarcinoma", lambda s: s.density != "solid") > 0.4
    assert np.median([s.diameter_mm for s in specs_of["large_cell_carcinoma"]]) > 40
    assert np.median([s.diameter_mm for s in specs_of["normal"]]) < 10


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"diameter_mm": 1}, "diameter_mm must be from 2 to 120, got 1"),
        ({"diameter_mm": 5, "density": "soft"}, "density must be one of solid, .* got 'soft'"),
        ({"diameter_mm": 5, "cavity": 1.5}, "cavity must be a fraction .* got 1.5"),
    ],
)
def test_a_wrong_specification_is_refused(attributes, message):
    with pytest.raises(ValueError, match=message):
        NoduleSpec(**attributes)


def test_a_centre_outside_the_array_is_refused():
    hu = np.zeros((10, 10, 10), np.float32)
    with pytest.raises(ValueError, match="centre_voxel_zyx must lie in the array"):
        paint_nodule(
            hu, (1, 1, 1), (10, 10, 90), NoduleSpec(diameter_mm=5), np.random.default_rng(0)
        )
