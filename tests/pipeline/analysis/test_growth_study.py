"""Two studies of a synthetic patient through a run: growth in the report of the later one."""

import math
from dataclasses import replace
from shutil import rmtree

import numpy as np
import pytest

from hounsfield.data.phantom import PhantomTruth, write_phantom
from hounsfield.models.findings import Candidate
from hounsfield.pipeline.analysis.growth.comparison import compare_with_prior
from hounsfield.pipeline.analysis.growth.prior import Prior
from hounsfield.pipeline.analysis.series import report_maker
from hounsfield.pipeline.analysis.timing import StageTimer
from hounsfield.pipeline.batch.progress import Progress
from hounsfield.pipeline.batch.run import run
from hounsfield.pipeline.batch.run_summary import RunOptions
from hounsfield.pipeline.batch.work_plan import make_plan
from hounsfield.pipeline.report.schema import Report
from hounsfield.preprocessing.discovery import discover
from tests.phantom_patient import DAYS, FIRST, LATER, VOLUME_RATIO, scanned
from tests.pipeline.fakes import fake_analyser
from tests.pipeline.scripted import scripted_config


class TruthDetector:
    """Marks the nodules of synthetic patients, where the volume shows something dense."""

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


def make_truth_analyser(settings):
    """What the runner calls in each worker."""
    analyser = fake_analyser(settings.config, provenance=settings.provenance)
    detector = TruthDetector(settings.out.parent / "input")
    return report_maker(replace(analyser, models=replace(analyser.models, detector=detector)))


def analyse(folder, out):
    return run(
        [folder / "input"],
        out=out,
        config=scripted_config(folder, segmenter=True),
        progress=Progress(quiet=True),
        options=RunOptions(),
        make_analyser=make_truth_analyser,
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


@pytest.fixture(scope="module")
def small_scan():
    return scanned(FIRST)


def entry(report, nodule):
    """The entry of the finding that lies on a nodule."""
    finding = min(
        report.findings,
        key=lambda finding: math.dist(finding.centre_world_mm, nodule.centre_world_mm),
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


def test_a_nodule_in_one_study_only_is_new_or_not_seen_again(runs):
    _, first, later, (_, report), _ = runs
    assert entry(report, later.nodules[1]).status == "new"
    gone = [entry for entry in report.growth.nodules if entry.finding is None]
    place = first.nodules[1].centre_world_mm
    (missed,) = [entry for entry in gone if math.dist(entry.earlier.centre_world_mm, place) < 4]
    assert missed.status == "not_seen_again"


def test_guidelines_use_the_interval_changes(runs):
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


def test_an_earlier_study_that_cannot_be_read_is_reported_and_does_not_fail_the_later(
    tmp_path, small_scan
):
    write_phantom(small_scan, tmp_path / "first")
    prior = Prior(discover([tmp_path / "first"]).series, days=DAYS)
    rmtree(tmp_path / "first")
    growth = compare_with_prior(prior, None, (), models=None, config=None, timer=StageTimer())
    assert growth.reason.endswith("180 days before, could not be analysed: unreadable.")
    assert growth.findings is None
