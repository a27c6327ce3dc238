import json
from dataclasses import replace

import numpy as np
import pytest

from hounsfield.data.prepared.case import (
    FORM_VERSION,
    KnownFinding,
    PreparedCase,
    load_case,
    remove_case,
    save_case,
)
from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.working_volume import WorkingVolume


def a_case():
    hu = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = WorkingVolume(hu, np.ones_like(hu, np.uint8), hu > 3, np.eye(4))
    findings = (KnownFinding((1.0, 2.0, 3.0), 8.5, histology="normal"),)
    return PreparedCase("1.2.3", "someone", volume, findings, synthetic=True)


def test_a_case_is_read_back_as_it_was_written(tmp_path):
    save_case(a_case(), tmp_path / "folder" / "case")
    again = load_case(tmp_path / "folder" / "case")
    assert np.array_equal(again.volume.hu, a_case().volume.hu)
    assert np.array_equal(again.volume.search_mask, a_case().volume.search_mask)
    assert (again.series_uid, again.patient_id, again.findings, again.synthetic) == (
        "1.2.3",
        "someone",
        a_case().findings,
        True,
    )


def test_masks_and_candidates_are_kept_where_there_are_any(tmp_path):
    mask, candidates = np.full((2, 3, 4), 128, np.uint8), np.array([[1, 2, 3.5, 1]])
    save_case(replace(a_case(), nodule_mask=mask, candidates=candidates), tmp_path / "with")
    save_case(a_case(), tmp_path / "without")
    again = load_case(tmp_path / "with")
    assert np.array_equal(again.nodule_mask, mask)
    assert np.array_equal(again.candidates, candidates)
    without = load_case(tmp_path / "without")
    assert without.nodule_mask is None
    assert without.candidates is None


def test_a_case_that_cannot_be_written_leaves_the_old_one_whole(tmp_path, monkeypatch):
    save_case(a_case(), tmp_path / "case")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        save_case(replace(a_case(), patient_id="another"), tmp_path / "case")
    assert load_case(tmp_path / "case").patient_id == "someone"


def test_a_removed_case_is_gone(tmp_path):
    save_case(a_case(), tmp_path / "case")
    remove_case(tmp_path / "case")
    remove_case(tmp_path / "case")  # nothing is there any more
    assert not list(tmp_path.iterdir())


def test_nothing_half_written_is_left(tmp_path):
    save_case(a_case(), tmp_path / "case")
    assert [path.name for path in tmp_path.iterdir()] == ["case"]


def test_another_version_of_the_form_is_refused(tmp_path):
    save_case(a_case(), tmp_path / "case")
    facts = tmp_path / "case" / "case.json"
    facts.write_text(json.dumps({"form_version": FORM_VERSION + 1}))
    with pytest.raises(UsageError, match="form version 3, wanted 2"):
        load_case(tmp_path / "case")


def test_what_is_read_is_mapped_and_cannot_be_written_to(tmp_path):
    save_case(a_case(), tmp_path / "case")
    with pytest.raises(ValueError, match="read-only"):
        load_case(tmp_path / "case").volume.hu[0] = 1


def test_a_damaged_case_is_refused(tmp_path):
    save_case(a_case(), tmp_path / "case")
    (tmp_path / "case" / "hu.npy").unlink()
    with pytest.raises(UsageError, match=r"lacks hu\.npy"):
        load_case(tmp_path / "case")
