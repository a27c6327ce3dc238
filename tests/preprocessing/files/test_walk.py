"""Walking over the input: every file once, and never the output."""

import pytest

from hounsfield.preprocessing.errors import UsageError
from hounsfield.preprocessing.files.walk import walk_files


@pytest.fixture
def places(tmp_path):
    """An input with a file, and an output folder with a file in a folder."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").touch()
    (tmp_path / "out" / "studies").mkdir(parents=True)
    (tmp_path / "out" / "studies" / "report").touch()
    return tmp_path


@pytest.mark.parametrize("target", ["out", "out/studies", "out/studies/report", "."])
def test_nothing_of_the_excluded_folder_is_walked_whichever_link_leads_there(places, target):
    (places / "in" / "link").symlink_to(places / target)
    found = list(walk_files([places / "in"], exclude=places / "out"))
    assert places / "in" / "a" in found
    (left_out,) = [each for each in found if isinstance(each, tuple)]
    assert "leads into the output folder" in left_out[1].message
    assert not [each for each in found if "report" in str(each) and not isinstance(each, tuple)]


def test_a_link_beside_the_excluded_folder_is_followed(places):
    (places / "other").mkdir()
    (places / "other" / "b").touch()
    (places / "in" / "link").symlink_to(places / "other")
    found = list(walk_files([places / "in"], exclude=places / "out"))
    assert found == [places / "in" / "a", places / "in" / "link" / "b"]


@pytest.mark.parametrize("name", ["missing", "loop", "n" * 300, "a\0b"])
def test_an_input_that_cannot_be_reached_is_a_mistake_of_the_user(tmp_path, name):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UsageError, match=r"does not exist|cannot be"):
        list(walk_files([tmp_path / name]))
