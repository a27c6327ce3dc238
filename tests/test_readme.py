"""The README's Python example runs as it stands."""

import re
from pathlib import Path

import pytest

import hounsfield as hf

README = Path(__file__).parents[1] / "README.md"


def python_blocks():
    return re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def test_the_readme_shows_five_lines_of_python():
    (block,) = python_blocks()
    assert len([line for line in block.splitlines() if line]) == 5


@pytest.mark.slow
def test_the_readmes_example_prints_every_finding_and_saves_a_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    hf.make_phantom(seed=3, size="small", nodules=4, folder="phantom-study")
    names = {}
    (block,) = python_blocks()
    exec(compile(block, README.name, "exec"), names)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(names["analysis"].findings) >= 4
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "report" / "report.json").is_file()
