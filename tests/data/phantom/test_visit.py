"""A follow-up scan of the same phantom."""

import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.phantom import Visit
from tests.phantom_patient import DAYS, FIRST, LATER, VOLUME_RATIO, scanned


def test_nodules_grow_by_the_volume_ratio_of_the_visit():
    first, later = scanned(FIRST), scanned(LATER)
    assert len(first.nodules) == len(later.nodules) == 3
    grown, before = later.nodules[0], first.nodules[0]
    assert grown.volume_mm3 / before.volume_mm3 == pytest.approx(VOLUME_RATIO, rel=0.02)


def test_a_visit_is_another_study_of_the_same_patient_on_a_later_day():
    first, later = (scanned(visit).volume.series for visit in (FIRST, LATER))
    assert first.patient_id == later.patient_id
    assert first.study_uid != later.study_uid
    assert (first.study_date, later.study_date) == ("20240101", "20240629")
    assert DAYS == 180


def test_the_ground_truth_is_where_the_moved_body_shows_the_nodule():
    phantom = scanned(LATER)
    for nodule in phantom.nodules:
        x, y, z = np.rint(phantom.volume.voxel_xyz(nodule.centre_world_mm)).astype(int)
        box = tuple(slice(v - 6, v + 7) for v in (z, y, x))
        dense, _ = ndimage.label(phantom.volume.hu[box] > -400)
        shown = np.array(ndimage.center_of_mass(dense == dense[6, 6, 6])) - 6
        off_mm = (shown - (phantom.volume.voxel_xyz(nodule.centre_world_mm)[::-1] - (z, y, x))) * (
            np.array(phantom.volume.spacing_mm[::-1])
        )
        assert np.linalg.norm(off_mm) < 2.5
        assert phantom.lung_labels[z, y, x]


def test_an_impossible_breath_is_refused():
    with pytest.raises(ValueError, match="breath_mm must be from -40 to 40, got 60"):
        Visit(breath_mm=60)
