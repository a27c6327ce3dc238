"""A small run of the mutation benchmark: what it counts, and that the readers stand it."""

import os
import signal
import time
from random import Random

import numpy as np
import pytest

from benchmarks.mutations import workers
from benchmarks.mutations.__main__ import planned
from benchmarks.mutations.elements import Encoding, join_elements, split_elements
from benchmarks.mutations.kinds import Kind, Mutation, Reading
from benchmarks.mutations.registry import KINDS
from benchmarks.mutations.tally import FAULTS, Tally
from benchmarks.mutations.trial import Trial, Verdict
from benchmarks.mutations.workers import try_all
from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.errors import SeriesError

IMAGES = (
    "dicom-explicit", "dicom-implicit", "dicom-big-endian", "dicom-deflated", "enhanced", "rle",
    "jpeg-ls", "jpeg-lossless", "jpeg-2000", "dicomdir", "nii", "nii.gz", "mhd", "mha", "zip",
)  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.filterwarnings("ignore")
def test_no_damaged_image_raises_hangs_or_takes_memory(tmp_path, name):
    trial = Trial(KINDS[name](), tmp_path)
    assert trial.unchanged.volumes
    judgements = [trial.run(index, seed=1) for index in range(10)]
    assert [judgement for judgement in judgements if judgement.verdict in FAULTS] == []


@pytest.mark.parametrize("name", ["dicom-implicit", "enhanced", "nii.gz", "yaml", "ledger"])
def test_a_mutation_depends_on_its_seed_and_number_alone(name):
    kind, again = KINDS[name](), KINDS[name]()
    first = [kind.mutate(Random(f"0/{number}")) for number in range(5)]
    assert [again.mutate(Random(f"0/{number}")) for number in range(5)] == first


@pytest.mark.parametrize("name", ["dicom-explicit", "dicom-implicit", "dicom-big-endian"])
def test_elements_that_are_split_and_joined_give_the_same_bytes(name):
    kind = KINDS[name]()
    for content in kind.contents.values():
        assert join_elements(split_elements(content, kind.encoding), kind.encoding)[0] == content
    assert kind.encoding == Encoding(
        implicit=name == "dicom-implicit", big=name == "dicom-big-endian"
    )


class OutcomeKind(Kind):
    """An input of one byte, which says what reading it does."""

    name = "outcome"
    share = 1

    def files(self):
        return {"outcome": b"s"}

    def mutate(self, _rng):
        return Mutation({"outcome": self.next_byte}, "the byte", "set")

    def read(self, folder):
        volume = (np.zeros((1, 1, 1), np.int16), np.eye(4))
        changed = (np.ones((1, 1, 1), np.int16), np.eye(4))
        match (folder / "outcome").read_bytes():
            case b"s":
                return Reading((volume,))
            case b"c":
                return Reading((changed,))
            case b"n":
                return Reading((changed,), frozenset({"header_conflict"}))
            case b"g":
                return Reading((volume,), grown_mb=300.0)
            case b"r":
                raise SeriesError(Reason.UNREADABLE, "damaged")
            case _:
                raise KeyError


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (b"s", Verdict.SAME), (b"c", Verdict.SILENT), (b"n", Verdict.TOLD), (b"g", Verdict.GROWN),
        (b"r", Verdict.REFUSED), (b"?", Verdict.ESCAPED),
    ],
)  # fmt: skip
def test_an_input_is_judged_by_what_the_reader_gives_and_tells(tmp_path, outcome, verdict):
    trial = Trial(OutcomeKind(), tmp_path)
    trial.kind.next_byte = outcome
    judgement = trial.run(0, 0)
    assert (judgement.verdict, judgement.field) == (verdict, "the byte")
    assert (tmp_path / "outcome").read_bytes() == b"s"


def serve_troubles(pipe, _folder, _seed):
    """Stands in for `workers.serve`: the number of the task decides what happens."""
    while True:
        _, index = pipe.recv()
        pipe.send(None)
        if index == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if index == 2:
            time.sleep(600)
        pipe.send(workers.Judgement(Verdict.SAME))


def test_a_crash_and_a_hang_cost_one_input_each(monkeypatch):
    monkeypatch.setattr(workers, "serve", serve_troubles)
    tasks = [("any", index) for index in range(5)]
    verdicts = dict(try_all(tasks, seed=0, workers=1, limit_s=0.3))
    assert [verdicts[task].verdict for task in tasks] == [
        Verdict.SAME, Verdict.CRASH, Verdict.HANG, Verdict.SAME, Verdict.SAME,
    ]  # fmt: skip
    assert verdicts[tasks[1]].detail == "SIGSEGV"


def test_the_inputs_are_shared_among_the_kinds_and_counted():
    tasks = list(planned(list(KINDS), 1000))
    assert abs(len(tasks) - 1000) <= len(KINDS)
    assert {kind for kind, _ in tasks} == set(KINDS)
    tally = Tally()
    tally.add(("nii", 3), workers.Judgement(Verdict.SILENT, "scl_slope", "0"))
    tally.add(("nii", 4), workers.Judgement(Verdict.ESCAPED, detail="KeyError at a.py:1"))
    text = "\n".join(tally.lines(["nii"]))
    assert "nii: scl_slope (0 1; first 3)" in text
    assert "nii: escaped, KeyError at a.py:1 (4)" in text
    assert tally.fault_count == 1
    assert tally.as_json(["nii"])["silent"] == [
        {"kind": "nii", "field": "scl_slope", "count": 1, "changes": {"0": 1}, "first": 3}
    ]


def test_shares_are_those_of_100_000_inputs():
    assert sum(kind.share for kind in KINDS.values()) == 100_000
