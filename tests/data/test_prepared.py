import json

import numpy as np
import pytest

from data.prepared import FORM_VERSION, KnownFinding, PreparedCase, load_case, save_case
from preprocessing.errors import UsageError
from preprocessing.working_volume import WorkingVolume


def a_case():
    hu = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    volume = WorkingVolume(hu, np.ones_like(hu, np.uint8), hu > 3, np.eye(4), 1.0)
    findings = (KnownFinding((1.0, 2.0, 3.0), 8.5, histology="normal"),)
    return PreparedCase("1.2.3", "someone", volume, findings, synthetic=True)


def test_a_case_is_read_back_as_it_was_written(tmp_path):
    save_case(a_case(), tmp_path / "folder" / "case.npz")
    again = load_case(tmp_path / "folder" / "case.npz")
    assert np.array_equal(again.volume.hu, a_case().volume.hu)
    assert np.array_equal(again.volume.search_mask, a_case().volume.search_mask)
    assert (again.series_uid, again.patient_id, again.findings, again.synthetic) == (
        "1.2.3",
        "someone",
        a_case().findings,
        True,
    )


def test_nothing_half_written_is_left(tmp_path):
    save_case(a_case(), tmp_path / "case.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["case.npz"]


def test_another_version_of_the_form_is_refused(tmp_path):
    path = tmp_path / "case.npz"
    np.savez(path, facts=np.array(json.dumps({"form_version": FORM_VERSION + 1})))
    with pytest.raises(UsageError, match="form version 2, wanted 1"):
        load_case(path)
