from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.phantom import NoduleSpec, PhantomSettings, Visit, make_phantom
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG

GRID = PhantomSettings(
    shape_zyx=(70, 144, 144),
    spacing_mm=(2.4, 2.4, 4.2),
    vessel_ends=1500,
    kernel="soft",
    contrast_hu=0.0,
)
SHORT = replace(GRID, shape_zyx=(12, 144, 144))
SEED = 7
FIRST_UID = "1.2.826.0.1.3680043.8.498.92516708737437562587480039742104871792"
LATER_UID = "1.2.826.0.1.3680043.8.498.12142242615058406435364642694528994511"
PLACES = ("isolated", "vessel", "pleura", "hilar")


def voxel_zyx(phantom, nodule):
    x, y, z = np.rint(phantom.volume.voxel_xyz(nodule.centre_world_mm)).astype(int)
    return (z, y, x)


@pytest.fixture(scope="module")
def empty():
    return make_phantom(SEED, settings=GRID, nodules=[])


@pytest.fixture(scope="module")
def four_nodules():
    """The same person with one nodule of each place; noise and all else are the same."""
    nodules = [NoduleSpec(diameter_mm=20, place=place) for place in PLACES]
    return make_phantom(SEED, settings=GRID, nodules=nodules)


def test_the_same_seed_gives_the_same_bytes():
    first, second, other = (make_phantom(s, settings=SHORT) for s in (1, 1, 2))
    assert first.volume.hu.tobytes() == second.volume.hu.tobytes()
    assert first.nodules == second.nodules
    assert first.volume.series == second.volume.series
    assert first.volume.hu.tobytes() != other.volume.hu.tobytes()
    assert first.volume.series.series_uid != other.volume.series.series_uid


def test_uids_do_not_change_between_versions():
    nodules = [NoduleSpec(diameter_mm=20.0, density="part_solid", solid_fraction=0.4)]
    visit = Visit(days=90, volume_ratio=(1.5,))
    first = make_phantom(1, settings=SHORT, nodules=nodules)
    later = make_phantom(1, settings=SHORT, nodules=nodules, visit=visit)
    assert first.volume.series.series_uid == FIRST_UID
    assert later.volume.series.series_uid == LATER_UID


def test_tissues_have_their_hu(empty):
    hu = empty.volume.hu
    body = hu[20:50, 40:100, 30:110]
    counts, edges = np.histogram(body, bins=np.arange(-160, 120, 10))
    fat, muscle = counts[:12], counts[14:]
    assert -125 <= edges[np.argmax(fat)] <= -85
    assert 20 <= edges[14 + np.argmax(muscle)] <= 65
    lung = hu[empty.lung_labels > 0]
    assert -910 < np.median(lung) < -820
    assert hu.max() > 400
    assert abs(int(hu[35, 3, 72]) + 1000) < 30


def test_lungs_have_a_physiological_volume_and_lie_on_their_sides(empty):
    volume = empty.volume
    voxel_litres = np.prod(volume.spacing_mm) / 1e6
    centres_x_mm = {}
    for side in (RIGHT_LUNG, LEFT_LUNG):
        where = np.argwhere(empty.lung_labels == side)
        assert 1.0 < len(where) * voxel_litres < 4.5
        centres_x_mm[side] = volume.world_mm(where.mean(0)[::-1])[0]
    assert centres_x_mm[RIGHT_LUNG] < centres_x_mm[LEFT_LUNG] - 100


@pytest.mark.parametrize("index", range(4), ids=PLACES)
def test_the_ground_truth_is_where_the_scan_shows_the_nodule(empty, four_nodules, index):
    volume, nodule = four_nodules.volume, four_nodules.nodules[index]
    added = volume.hu.astype(np.float64) - empty.volume.hu
    parts, _ = ndimage.label(added > 200)
    near = ndimage.distance_transform_edt(parts == 0, return_distances=False, return_indices=True)
    part = parts[tuple(near[:, *voxel_zyx(four_nodules, nodule)])]
    shown = ndimage.center_of_mass(added, parts, part)
    # Over a great vessel a hilar nodule adds nothing visible.
    allowed_mm = 6.0 if nodule.place == "hilar" else 2.0
    assert np.linalg.norm(volume.world_mm(shown[::-1]) - nodule.centre_world_mm) < allowed_mm
    assert empty.lung_labels[voxel_zyx(four_nodules, nodule)] > 0
    assert nodule.volume_mm3 == pytest.approx(np.pi / 6 * nodule.diameter_mm**3)
    if nodule.place in {"isolated", "vessel"}:
        assert nodule.diameter_mm == pytest.approx(20)


def test_a_pleural_nodule_touches_the_surface_of_the_lung_and_an_isolated_one_does_not(
    empty, four_nodules
):
    depth_mm = ndimage.distance_transform_edt(
        empty.lung_labels > 0, sampling=empty.volume.spacing_mm[::-1]
    )
    isolated, _, pleural, _ = (depth_mm[voxel_zyx(four_nodules, n)] for n in four_nodules.nodules)
    assert pleural < 10 + 2.4
    assert isolated > 10


def test_nodules_do_not_overlap(four_nodules):
    nodules = four_nodules.nodules
    assert [nodule.place for nodule in nodules] == list(PLACES)
    for i, a in enumerate(nodules):
        for b in nodules[:i]:
            gap = np.linalg.norm(np.subtract(a.centre_world_mm, b.centre_world_mm))
            assert gap > (a.diameter_mm + b.diameter_mm) / 2


def test_the_noise_has_the_specified_standard_deviation():
    quiet, noisy = (
        make_phantom(SEED, settings=replace(SHORT, noise_hu=noise), nodules=[]).volume.hu
        for noise in (0.0, 20.0)
    )
    noise = noisy.astype(float) - quiet
    assert 12 < noise[:, 50:95, 40:105].std() < 32


def test_thick_slices_average_thin_ones():
    thin = PhantomSettings(
        shape_zyx=(40, 96, 96), spacing_mm=(3.6, 3.6, 1.5), slice_thickness_mm=1.5, noise_hu=0.0
    )
    sharp, smooth = (
        make_phantom(5, settings=s, nodules=[]).volume.hu.astype(float)
        for s in (thin, replace(thin, slice_thickness_mm=6.0))
    )
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.8 * np.abs(np.diff(sharp, axis=0)).mean()
    assert smooth.mean() == pytest.approx(sharp.mean(), abs=5)


def test_one_setting_changes_nothing_else(empty):
    contrast = make_phantom(SEED, settings=replace(GRID, contrast_hu=250.0), nodules=[])
    assert np.array_equal(contrast.lung_labels, empty.lung_labels)
    assert contrast.volume.series.patient_sex == empty.volume.series.patient_sex
    assert (contrast.volume.hu > 200).sum() > (empty.volume.hu > 200).sum()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"shape_zyx": (4, 64, 64)}, "shape_zyx must be at least 8"),
        ({"spacing_mm": (0.0, 1.0, 1.0)}, "spacing_mm must be positive"),
        ({"kernel": "bone"}, "kernel must be soft, standard or sharp, got 'bone'"),
        ({"arms": "crossed"}, "arms must be up or down, got 'crossed'"),
    ],
)
def test_wrong_settings_are_refused(attributes, message):
    with pytest.raises(ValueError, match=message):
        PhantomSettings(**attributes)
