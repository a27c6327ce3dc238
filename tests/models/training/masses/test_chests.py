import numpy as np
import pytest

from hounsfield.models.training.masses.chests import load_chest, load_chests
from hounsfield.preprocessing.errors import UsageError


def test_a_chest_is_read_as_it_was_written(chest, tmp_path):
    chest.save(tmp_path)
    again = load_chest(tmp_path / "ellipsoids.npz")
    assert np.array_equal(again.hu, chest.hu)
    assert np.array_equal(again.lungs, chest.lungs)
    assert np.array_equal(again.ignored, chest.ignored)
    assert (again.name, again.patient_id, again.source) == (
        chest.name, chest.patient_id, chest.source,
    )  # fmt: skip


def test_an_ignored_ball_has_its_size(chest):
    assert np.count_nonzero(chest.ignored) * 0.027 == pytest.approx(14.1, rel=0.15)
    assert (chest.lungs[chest.ignored] == 2).all()


def test_a_folder_without_chests_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no chests in .*: make them with"):
        load_chests([tmp_path])
