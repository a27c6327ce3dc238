import pytest

from hounsfield.data.prepared.held_out import NAMED_FILES, read_held_out
from hounsfield.models.training.masses.chests import ChestSource
from hounsfield.models.training.masses.preparation import (
    ChestList,
    longest_series_chest,
    phantom_chest,
)
from hounsfield.preprocessing.documents import read_document
from hounsfield.preprocessing.errors import UsageError


def test_the_shipped_list_is_valid_and_names_nobody_who_is_held_out():
    chests = read_document(NAMED_FILES / "mass_chests.yaml", ChestList).chests
    held_out = read_held_out("held_out_masses")
    assert len(chests) == 7
    assert not [chest.name for chest in chests if chest.patient_id in held_out]


def test_whoever_is_held_out_of_every_training_is_held_out_here():
    everywhere, here = read_held_out("held_out"), read_held_out("held_out_masses")
    assert set(everywhere.patients) <= set(here.patients)
    assert everywhere.hashed == here.hashed


def test_a_phantom_chest_follows_its_seed_and_is_synthetic():
    chest = phantom_chest(5)
    assert chest.name == "phantom-5"
    assert chest.synthetic
    assert not chest.ignored.any()
    assert set(chest.lungs.ravel()) == {0, 1, 2}


def test_a_folder_without_a_series_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no series in"):
        longest_series_chest(
            tmp_path, name="none", patient_id="none", source=ChestSource("none", "none")
        )
