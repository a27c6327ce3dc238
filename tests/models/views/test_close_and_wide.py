import numpy as np

from hounsfield.models.views.close_and_wide import VIEW_VOXELS, nodule_views
from hounsfield.preprocessing.hu_rounding import AIR_HU


def test_the_close_view_shows_the_place_in_its_middle():
    hu = np.full((120, 120, 120), -800, np.int16)
    hu[60, 50, 70] = 400
    close, _ = nodule_views(hu, (1.0, 1.0, 1.0), (60.5, 50.5, 70.5))
    middle = VIEW_VOXELS // 2
    assert close[middle - 1, middle - 1, middle - 1] == 400
    assert np.count_nonzero(close == 400) == 1


def test_the_wide_view_is_160_mm_wide_and_air_outside_the_volume():
    hu = np.full((100, 100, 100), 0, np.int16)
    _, wide = nodule_views(hu, (1.0, 1.0, 1.0), (50, 50, 50))
    inside = (wide > AIR_HU / 2).sum(axis=0).max()
    assert inside in {24, 25, 26}  # of 40: 100 mm in steps of 4 mm
