from pathlib import Path

import pytest

from hounsfield.data.prepared.held_out import (
    NAMED_FILES,
    HashRule,
    HeldOutPatients,
    held_out_file,
    patient_hash,
    read_held_out,
)
from hounsfield.data.prepared.splits import FOLDS, patient_fold
from hounsfield.models.training.configuration import read_training_config
from hounsfield.preprocessing.errors import UsageError

CONFIGS = Path(__file__).parents[3] / "configs"
LIDC_IDRI = [f"LIDC-IDRI-{n:04d}" for n in range(1, 1013) if n not in {238, 585}]


def test_this_projects_file_holds_out_named_patients_and_a_fifth_of_lidc_idri():
    held_out = read_held_out("held_out")
    for patient_id in ("LIDC-IDRI-0001", "LIDC-IDRI-0003", "Lung_Dx-A0002"):
        assert patient_id in held_out
    assert "LIDC-IDRI-0002" not in held_out
    assert "Lung_Dx-A0001" not in held_out
    by_hash = [name for name in LIDC_IDRI if patient_hash(name) % 5 == 0]
    assert len(by_hash) == 195
    assert all(name in held_out for name in by_hash)
    assert sum(name in held_out for name in LIDC_IDRI) == 197


def test_the_hash_rule_applies_to_its_data_set_only():
    name = next(f"P{n}" for n in range(20) if patient_hash(f"P{n}") % 5 == 0)
    assert name in HeldOutPatients(hashed=HashRule(prefix="P", modulus=5))
    assert name not in HeldOutPatients(hashed=HashRule(prefix="LIDC-IDRI-", modulus=5))
    assert name not in HeldOutPatients()


def test_every_fold_keeps_patients_when_the_held_out_ones_are_left_out():
    held_out = read_held_out("held_out")
    folds = {patient_fold(name) for name in LIDC_IDRI if name not in held_out}
    assert folds == set(range(FOLDS))


def test_a_file_of_ones_own_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("patients: [Anna]\n")
    assert "Anna" in read_held_out(path)
    assert "Bo" not in read_held_out(str(path))
    assert held_out_file("held_out") == NAMED_FILES / "held_out.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("patients: Anna", "patients: Input should be a valid tuple, got 'Anna'"),
        ("hashed: {prefix: P, modulus: 1}", "hashed.modulus: Input should be greater than or"),
        ("hashed: {modulus: 5}", "hashed.prefix: Field required"),
        ("patient: [Anna]", "patient: unknown key"),
        ("patients: [", "not YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"mine\.yaml: .*{message}"):
        read_held_out(path)


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    for name in ("nobody", str(tmp_path / "gone.yaml"), "../data/held_out"):
        with pytest.raises(UsageError, match=rf"must be a YAML file or the name .* got '{name}'"):
            read_held_out(name)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("train_*.yaml")), ids=lambda path: path.stem)
def test_our_training_configurations_leave_held_out_patients_out(path):
    data = read_training_config(path).data
    uses_patients_of_lidc_idri = path.stem != "train_luna16"  # LUNA16 names series, not patients
    assert (data.held_out is not None) == uses_patients_of_lidc_idri
    assert ("LIDC-IDRI-0003" in data.held_out_patients) == uses_patients_of_lidc_idri
