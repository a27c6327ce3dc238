"""The plan of a run: whose folder is whose, and what is not input."""

import pytest

from hounsfield.pipeline.batch.csv_tables import read_worklist
from hounsfield.pipeline.batch.ledger import Ledger
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.batch.work_plan import make_plan, require_separate_folders
from hounsfield.preprocessing.errors import UsageError
from tests.pipeline.scripted import make_scripted_analyser, scripted_config, write_study


@pytest.fixture
def two_patients(tmp_path):
    """Two patients' images under the same UIDs."""
    for patient in "AB":
        write_study(tmp_path / "in" / patient / "1", uid="1.1", patient=patient)
    return tmp_path


def move(source, target):
    target.parent.mkdir(exist_ok=True)
    source.rename(target)


def analyse(folder, *inputs):
    run(
        [folder / "in" / name for name in inputs],
        out=folder / "out",
        config=scripted_config(folder),
        progress=Progress(quiet=True),
        options=RunOptions(),
        make_analyser=make_scripted_analyser,
    )
    with Ledger(folder / "out", read_only=True) as ledger:
        return {row.folder: row for row in ledger.rows() if row.folder}


def test_a_second_patient_under_the_same_uids_never_takes_the_place_of_the_first(two_patients):
    (first,) = analyse(two_patients, "A")
    both = analyse(two_patients, "B")
    assert len(both) == 2
    assert len({row.content_id for row in both.values()}) == 2
    assert both[first].path.endswith("A/1")
    reports = {str(path.parent) for path in (two_patients / "out").glob("studies/*/*/report.json")}
    assert reports == {str(two_patients / "out" / folder) for folder in both}
    worklist = list(read_worklist(two_patients / "out"))
    assert len({(row["study_uid"], row["series_uid"]) for row in worklist}) == 2
    assert analyse(two_patients, "B", "A").keys() == both.keys()
    assert (two_patients / "calls").read_text().count("1.1.1") == 2


def test_other_images_at_the_same_path_keep_the_results_of_the_first(two_patients):
    analyse(two_patients, "A")
    move(two_patients / "in" / "A", two_patients / "A")
    move(two_patients / "in" / "B", two_patients / "in" / "A")
    assert len(analyse(two_patients, "A")) == 2
    assert len(analyse(two_patients, "A")) == 2
    assert (two_patients / "calls").read_text().count("1.1.1") == 2


def test_the_same_images_at_another_path_stay_one_study(two_patients):
    analyse(two_patients, "A")
    move(two_patients / "in" / "A", two_patients / "in" / "moved")
    (row,) = analyse(two_patients, "moved").values()
    assert "moved" in row.path
    assert len(list(read_worklist(two_patients / "out"))) == 1


def test_both_together_get_the_folders_that_one_after_the_other_get(two_patients):
    analyse(two_patients, "A")
    one_after_the_other = analyse(two_patients, "B")
    together = make_plan([two_patients / "in" / name for name in "AB"], kernel="soft")
    assert {each.folder for study in together.studies for each in study} == set(one_after_the_other)


def test_a_link_into_the_output_folder_is_skipped_and_said_once(two_patients):
    analyse(two_patients, "A")
    out = two_patients / "out"
    links = {"to out": out, "to a report": out / "studies", "to its parent": two_patients}
    for name, target in links.items():
        (two_patients / "in" / "A" / "1" / name).symlink_to(target)
    plan = make_plan([two_patients / "in" / "A"], kernel="soft", out=out)
    skipped = [row.path for row in plan.excluded if "output folder" in row.message]
    assert len(skipped) == 3
    assert not [row for row in plan.excluded if row.path.endswith((".csv", ".html", ".log"))]


def test_an_input_inside_the_output_folder_is_refused(tmp_path):
    (tmp_path / "out" / "studies" / "1").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "out" / "studies")
    for path in (tmp_path / "out", tmp_path / "out" / "studies" / "1", tmp_path / "link"):
        with pytest.raises(UsageError, match="must be apart from the input"):
            require_separate_folders([path], tmp_path / "out")


@pytest.mark.parametrize("name", ["loop", "loop/out", "n" * 300, "a\0b"])
@pytest.mark.parametrize("as_input", [True, False])
def test_a_path_that_cannot_be_followed_is_a_mistake_of_the_user(tmp_path, name, as_input):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "in").mkdir()
    path = tmp_path / name
    inputs, out = ([path], tmp_path / "out") if as_input else ([tmp_path / "in"], path)
    with pytest.raises(UsageError, match="cannot be"):
        require_separate_folders(inputs, out)
