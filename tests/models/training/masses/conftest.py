import numpy as np
import pytest

from hounsfield.models.training.masses.chests import ChestSource, chest_from_volume
from tests.preprocessing.synthetic_chest import SyntheticChest


@pytest.fixture(scope="session")
def chest():
    """A chest of ellipsoids, with an ignored ball in the left lung."""
    return chest_from_volume(
        SyntheticChest().volume(),
        name="ellipsoids",
        patient_id="nobody",
        source=ChestSource("ellipsoids", "none", "1.2.3"),
        ignored_balls=[(70.0, 0.0, 0.0, 30.0)],
    )


@pytest.fixture
def rng():
    return np.random.default_rng(5)
