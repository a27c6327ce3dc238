"""Small volumes in any orientation, for the tests of readers and writers."""

import numpy as np

from hounsfield.preprocessing.volume import SeriesFacts, Volume


def rotation(*degrees_xyz):
    """Turns about x, then y, then z, as 3 x 3."""
    turned = np.eye(3)
    for axis, angle in enumerate(np.radians(degrees_xyz)):
        about_axis = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        about_axis[a, a] = about_axis[b, b] = np.cos(angle)
        about_axis[a, b], about_axis[b, a] = -np.sin(angle), np.sin(angle)
        turned = about_axis @ turned
    return turned


AXIAL = np.eye(3)
PRONE = np.diag([-1.0, -1.0, 1.0])
CORONAL = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=float)
SAGITTAL = np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]], dtype=float)
OBLIQUE = rotation(20, -15, 30)


def make_volume(directions=AXIAL, shape_zyx=(20, 24, 28), uid="1.2.3", spacing_mm=(7, 8, 5)):
    """A volume whose every voxel differs from its neighbours; large enough for a chest."""
    rng = np.random.default_rng(7)
    affine = np.eye(4)
    affine[:3, :3] = directions * np.asarray(spacing_mm, dtype=float)
    affine[:3, 3] = (-101.0625, 33.333333, -512.7)
    hu = rng.integers(-1000, 1500, shape_zyx).astype(np.int16)
    facts = SeriesFacts(study_uid=f"{uid}.1", series_uid=f"{uid}.2", modality="CT")
    return Volume(hu=hu, affine=affine, series=facts)
