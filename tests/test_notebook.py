"""The notebook in docs runs from top to bottom, without Jupyter."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebooks" / "phantom_to_froc.ipynb"


def cells(kind):
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return [cell for cell in document["cells"] if cell["cell_type"] == kind]


@pytest.mark.slow
def test_the_notebook_runs_and_finds_the_nodules_of_its_phantom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    with mpl.rc_context({"backend": "agg"}):
        for cell in cells("code"):
            exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), names)
    assert names["evaluation"].nodules == len(names["phantom"].nodules) == 4
    assert names["evaluation"].true_positives == 4
    assert (tmp_path / "report" / "report.html").stat().st_size > 1000
    assert len(names["axes"].lines[0].get_xdata()) == 7


def test_the_notebook_is_committed_without_outputs():
    for cell in cells("code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
