"""Two studies of a digital patient through a run: what the report of the later one says."""

import math
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from hounsfield.data.phantom import PhantomTruth, write_phantom
from hounsfield.models.contracts import Candidate
from hounsfield.pipeline.analysis.growth import study_nodules
from hounsfield.pipeline.analysis.growth.comparison import growth_since
from hounsfield.pipeline.analysis.growth.study_nodules import StudyNodules
from hounsfield.pipeline.batch.prior_studies import Prior
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.batch.work_plan import make_plan
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.discovery import discover
from hounsfield.preprocessing.errors import SeriesError
from tests.phantom_patient import DAYS, FIRST, LATER, VOLUME_RATIO, scanned
from tests.pipeline.fakes import prepare_with_fakes
from tests.pipeline.scripted import scripted_config


class TruthDetector:
    """Marks the nodules of digital patients, where the volume shows something dense."""

    def __init__(self, input_folder):
        truths = [
            PhantomTruth.model_validate_json(path.read_bytes())
            for path in input_folder.glob("*/truth.json")
        ]
        self._marks = [
            Candidate(nodule.centre_world_mm, nodule.diameter_mm, 0.9)
            for truth in truths
            for nodule in truth.nodules
        ]

    def detect(self, volume):
        shown = []
        for mark in self._marks:
            z, y, x = np.rint(volume.voxel_xyz(mark.centre_world_mm)).astype(int)[::-1]
            inside = all(0 <= v < n for v, n in zip((z, y, x), volume.hu.shape, strict=True))
            if inside and volume.hu[z, y, x] > -200 and volume.search_mask[z, y, x]:
                shown.append(mark)
        return shown


def prepare_with_truth(order):
    """What the runner calls in each worker."""
    analyse = prepare_with_fakes(order)
    models = replace(analyse.keywords["models"], detector=TruthDetector(order.out.parent / "input"))
    return partial(analyse.func, **{**analyse.keywords, "models": models})


def analyse(folder, out):
    return run(
        [folder / "input"],
        out=out,
        config=scripted_config(folder, segmenter=True),
        progress=Progress(quiet=True),
        options=RunOptions(),
        prepare=prepare_with_truth,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The later study alone, then with the earlier one, then once more; what each run left."""
    folder = tmp_path_factory.mktemp("growth")
    first, later = scanned(FIRST), scanned(LATER)
    write_phantom(later, folder / "input" / "later")
    reports = []
    for _ in range(2):
        analyse(folder, folder / "out")
        (path,) = folder.glob(f"out/studies/{later.volume.series.study_uid}/*/report.json")
        reports.append(Report.model_validate_json(path.read_bytes()))
        if len(reports) == 1:
            write_phantom(first, folder / "input" / "first")
    return folder, first, later, reports, path.parent


def entry(report, nodule):
    """The entry of the finding that lies on a nodule."""
    finding = min(
        report.findings, key=lambda one: math.dist(one.centre_world_mm, nodule.centre_world_mm)
    )
    return report.growth.nodules[finding.finding - 1]


def test_a_nodule_that_grew_has_its_doubling_time_and_its_pictures(runs):
    _, first, later, (_, report), series = runs
    grown = entry(report, later.nodules[0])
    truth = DAYS * math.log(2) / math.log(VOLUME_RATIO)
    assert grown.status == "grown"
    assert grown.doubling_time_days == pytest.approx(truth, rel=0.15)
    assert grown.lung_rads_growth
    assert math.dist(grown.earlier.centre_world_mm, first.nodules[0].centre_world_mm) < 3
    assert math.dist(grown.earlier_place_world_mm, first.nodules[0].centre_world_mm) < 4
    assert (series / grown.picture).is_file()
    assert report.growth.earlier.days == DAYS
    page = (series / "report.html").read_text()
    assert "Since the earlier study" in page
    assert f"{grown.doubling_time_days:.0f} days" in page


def test_a_nodule_that_stayed_is_stable(runs):
    _, _, later, (_, report), _ = runs
    stayed = entry(report, later.nodules[2])
    assert stayed.status == "stable"
    assert stayed.doubling_time_days is None


def test_what_only_one_study_has_is_new_or_not_seen_again(runs):
    _, first, later, (_, report), _ = runs
    assert entry(report, later.nodules[1]).status == "new"
    gone = [one for one in report.growth.nodules if one.finding is None]
    place = first.nodules[1].centre_world_mm
    (missed,) = [one for one in gone if math.dist(one.earlier.centre_world_mm, place) < 4]
    assert missed.status == "not_seen_again"


def test_guidelines_are_told_of_growth(runs):
    _, _, later, (alone, report), _ = runs
    before, after = (each.guidelines[0] for each in (alone, report))
    assert any("no earlier study" in text for text in before.not_assessed)
    assert not any("no earlier study" in text for text in after.not_assessed)
    new = entry(report, later.nodules[1]).finding - 1
    assert (before.findings[new], after.findings[new]) == ("4A", "4B")


def test_a_finished_study_is_done_again_when_an_earlier_one_appears_and_then_no_more(runs):
    folder, _, _, (alone, report), series = runs
    assert alone.growth is None
    assert report.growth.nodules
    before = (series / "report.json").read_bytes()
    assert analyse(folder, folder / "out").already_done == 2
    assert (series / "report.json").read_bytes() == before
    stamps = [
        {study[0].series.facts.study_uid: study[0].input_stamp for study in plan.studies}
        for plan in (
            make_plan([folder / "input"], kernel="soft", compare_with_prior=wanted)
            for wanted in (False, True)
        )
    ]
    changed = {uid for uid in stamps[0] if stamps[0][uid] != stamps[1][uid]}
    assert changed == {report.series.study_uid}


def test_an_earlier_study_that_cannot_be_read_is_said_and_does_not_fail_the_later(
    runs, monkeypatch
):
    def fail(series):
        raise SeriesError(Reason.TRUNCATED, f"{series.path} ends too early")

    monkeypatch.setattr(study_nodules, "read_volume", fail)
    prior = Prior(discover([runs[0] / "input" / "first"]).series, days=DAYS)
    nothing = StudyNodules(None, None, (), (), (), ())
    growth = growth_since(
        prior,
        nothing,
        models=None,
        config=None,
        provenance=None,
        stage=nullcontext,
    )
    assert growth.document.why_not.endswith("180 days before, could not be analysed: truncated.")
    assert growth.courses is None
