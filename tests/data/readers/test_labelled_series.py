import numpy as np
import pytest
from scipy import ndimage

from hounsfield.data.annotations.voxel_regions import VoxelRegion
from hounsfield.data.readers.labelled_series import region_mask
from hounsfield.preprocessing.volume import SeriesFacts, Volume
from hounsfield.preprocessing.working_volume import WorkingVolume


def test_a_region_keeps_its_position_and_volume_on_the_working_grid():
    affine = np.array([[-0.5, 0, 0, 20], [0, 0.5, 0, -8], [0, 0, -2.0, 30], [0, 0, 0, 1.0]])
    volume = Volume(np.zeros((20, 60, 60), np.int16), affine, SeriesFacts("1", "1.1"))
    box = np.argwhere(np.ones((6, 20, 24))) + np.array((5, 10, 30))
    region = VoxelRegion.of([box], volume)
    shape, moved = (30, 28, 28), np.eye(4)
    moved[:3, 3] = (-9, -7, -5)
    empty = np.zeros(shape, np.int16)
    working = WorkingVolume(empty, empty.astype(np.uint8), empty > 0, moved)
    mask = region_mask(region, volume, working)
    assert (mask.dtype, mask.shape, mask.max()) == (np.uint8, shape, 255)
    assert mask.sum() / 255 == pytest.approx(len(region) * 0.5, rel=0.03)
    centre = ndimage.center_of_mass(mask)[::-1]
    assert working.world_mm(centre) == pytest.approx(region.centre_world_mm, abs=0.1)
