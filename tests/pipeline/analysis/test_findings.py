"""A finding says which of its slices were never measured."""

import numpy as np
import pytest

from hounsfield.pipeline.analysis.findings import filled_slices_notice
from hounsfield.preprocessing.volume import SeriesFacts, Volume


def _volume(*filled):
    hu = np.full((20, 8, 8), -900, np.int16)
    affine = np.diag([1.0, 1.0, 2.0, 1.0])
    affine[2, 3] = -100
    return Volume(hu, affine, SeriesFacts("1", "2"), filled_slices=filled)


@pytest.mark.parametrize(("filled", "slices"), [((10,), 1), ((8, 9), 2), ((3, 8, 12, 17), 2)])
def test_interpolated_slices_through_a_nodule_are_told(filled, slices):
    notice = filled_slices_notice(_volume(*filled), (4.0, 4.0, -80.0), 8.0)
    assert notice.code == "missing_slices_filled"
    assert notice.numbers == {"slices": slices}


@pytest.mark.parametrize("filled", [(), (3,), (13,)])
def test_slices_beside_a_nodule_are_not(filled):
    assert filled_slices_notice(_volume(*filled), (4.0, 4.0, -80.0), 8.0) is None
