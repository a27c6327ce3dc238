import numpy as np
import pytest

from hounsfield.models.findings import Lung, LungLocation, Zone
from hounsfield.pipeline.analysis.lung_location import locate_in_lungs
from hounsfield.preprocessing.working_volume import LEFT_LUNG, RIGHT_LUNG, WorkingVolume


@pytest.fixture
def volume():
    """Two boxes of lung: the right one 30 voxels high, the left one 15; 2 mm, origin moved."""
    labels = np.zeros((40, 30, 60), np.uint8)
    labels[5:35, 5:25, 5:25] = RIGHT_LUNG
    labels[5:20, 5:25, 35:55] = LEFT_LUNG
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = (-60, -30, 100)
    hu = np.full(labels.shape, -800, np.int16)
    return WorkingVolume(hu, labels, labels > 0, affine)


@pytest.mark.parametrize(
    ("voxel_xyz", "place"),
    [
        ((10, 10, 8), LungLocation(Lung.RIGHT, Zone.LOWER)),
        ((10, 10, 20), LungLocation(Lung.RIGHT, Zone.MIDDLE)),
        ((10, 10, 33), LungLocation(Lung.RIGHT, Zone.UPPER)),
        ((50, 10, 18), LungLocation(Lung.LEFT, Zone.UPPER)),
        ((27, 10, 12), LungLocation(Lung.RIGHT, Zone.LOWER)),
        ((33, 10, 12), LungLocation(Lung.LEFT, Zone.MIDDLE)),
        ((58, 28, 39), LungLocation(Lung.LEFT, Zone.UPPER)),
    ],
)
def test_a_point_lies_in_the_nearest_lung_and_in_a_third_of_its_own_height(
    volume, voxel_xyz, place
):
    x, y, z = volume.world_mm(voxel_xyz)
    assert locate_in_lungs(volume, (x, y, z)) == place


def test_without_any_label_near_the_side_of_the_midline_decides(volume):
    volume.lung_labels[:] = 0
    x, y, z = volume.world_mm((50, 10, 2))
    assert locate_in_lungs(volume, (x, y, z)) == LungLocation(Lung.LEFT, Zone.LOWER)
