import signal
import socket
import subprocess
import sys

import pytest
import torch

from tests.models.training.toy_training import toy_optimisation, toy_task, toy_train, weights

STEPS = 60


@pytest.fixture
def toy_process(monkeypatch):
    """Starts a toy training in a process of its own; ends it after the test if need be."""
    started = []

    def start(out, *arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, str(value))
        module = "tests.models.training.toy_training"
        command = [sys.executable, "-m", module, str(out), *map(str, arguments)]
        started.append(subprocess.Popen(command, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_process_that_was_killed_resumes_to_the_same_weights(tmp_path, toy_process):
    killed = tmp_path / "killed"
    assert toy_process(killed, STEPS, 31).wait(timeout=240) == -signal.SIGKILL
    done = torch.load(killed / "checkpoint.pt", weights_only=True)["done"]
    assert 0 < done < STEPS
    assert rows(killed) > 0
    resumed = toy_train(toy_task(), toy_optimisation(steps=STEPS), killed).network
    whole = toy_train(toy_task(), toy_optimisation(steps=STEPS), tmp_path / "whole").network
    assert torch.equal(weights(resumed), weights(whole))
    assert (killed / "log.csv").read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()


def rows(out):
    log = out / "log.csv"
    return log.read_text(encoding="utf-8").count("\n") if log.exists() else 0


def test_two_processes_end_near_the_weights_of_one(tmp_path, toy_process):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    environment = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = [
        toy_process(tmp_path, 12, RANK=rank, LOCAL_RANK=rank, **environment) for rank in (0, 1)
    ]
    assert [process.wait(timeout=240) for process in processes] == [0, 0]
    single = toy_train(
        toy_task(dropout=0.0), toy_optimisation(steps=12), tmp_path / "single"
    ).network
    together = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert torch.allclose(together, weights(single), rtol=0, atol=1e-5)
    assert rows(tmp_path) == rows(tmp_path / "single")
