import numpy as np
import pytest

from hounsfield.models.views.masses import BOX_MARGIN_VOXELS, REGION_MARGIN_VOXELS, mass_view
from hounsfield.preprocessing.lungs.morphology import dilate
from hounsfield.preprocessing.lungs.segment import find_lungs
from tests.preprocessing.synthetic_chest import SyntheticChest

CENTRE = (-95.0, 20.0, 10.0)


@pytest.fixture(scope="module")
def lungs():
    chest = SyntheticChest()
    chest.paint(CENTRE, (25.0,) * 3, 40)
    return find_lungs(chest.volume())


def test_the_view_shows_expected_lung_at_a_mass_and_air_opposite(lungs):
    view = mass_view(lungs)
    hu, expected, opposite = view.image
    x, y, z = np.rint((np.linalg.inv(lungs.affine) @ (*CENTRE, 1.0))[:3]).astype(int)
    at = tuple(int(v - part.start) for v, part in zip((z, y, x), view.box, strict=True))
    assert hu[at] > 0
    assert expected[at] == 2
    assert opposite[at] > 90
    assert view.region[at]


def test_the_region_extends_12_mm_beyond_the_search_mask_and_the_box_18_mm(lungs):
    view = mass_view(lungs)
    region = lungs.search_mask
    for _ in range(REGION_MARGIN_VOXELS):
        region = dilate(region)
    assert np.array_equal(view.region, region[view.box])
    inside = np.argwhere(lungs.search_mask)
    for axis, part in enumerate(view.box):
        assert part.start == max(0, inside[:, axis].min() - BOX_MARGIN_VOXELS)


def test_hu_outside_the_range_of_ct_are_clipped(lungs):
    view = mass_view(lungs)
    assert view.image.dtype == np.int16
    assert view.image[0].min() >= -1024
    assert view.image[0].max() <= 3071
