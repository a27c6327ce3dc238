"""Links and file names in the Markdown files point at what exists.

`make docs` checks the links between pages of docs/; this covers the files that GitHub shows.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.relative_to(ROOT)
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")]
)
NAMES_OLD_FILES = {Path("docs/glossary.md"), Path("CHANGELOG.md")}
OURS = r"`((?:preprocessing|models|data|pipeline|configs|tests|benchmarks|docs)/[\w./-]+)"


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_relative_links_point_at_files(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s:]+)(?:#[^)]*)?\)", text)
    assert [name for name in targets if not (ROOT / page.parent / name).exists()] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NAMES_OLD_FILES], ids=str)
def test_files_that_the_text_names_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8").replace("\n", " ")
    assert [name for name in re.findall(OURS, text) if not (ROOT / name).exists()] == []


def test_every_decision_and_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [str(page.relative_to("docs")) for page in PAGES if page.parts[0] == "docs"]
    assert [page for page in pages if page not in navigation] == []
