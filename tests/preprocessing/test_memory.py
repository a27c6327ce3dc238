"""Memory is asked for before it is allocated."""

import pytest

from hounsfield.preprocessing.codes import Reason
from hounsfield.preprocessing.memory import RUN_BYTES, available_memory_bytes, memory_rejection

GB = 10**9


def test_a_volume_with_a_copy_and_a_run_must_fit():
    shape_zyx = (2000, 1024, 1024)
    needed = 4 * 2000 * 1024 * 1024 + RUN_BYTES
    assert memory_rejection(shape_zyx, "scan", available_bytes=needed) is None
    error = memory_rejection(shape_zyx, "scan", available_bytes=needed - 1)
    assert (error.reason, error.path) == (Reason.OUT_OF_MEMORY, "scan")
    assert "1024 x 1024 x 2000 voxels need 8.7 GB of memory, 8.7 GB are available" in error.message


def test_wider_stored_values_need_more():
    shape_zyx = (500, 512, 512)
    assert memory_rejection(shape_zyx, "a", available_bytes=GB) is None
    assert memory_rejection(shape_zyx, "a", available_bytes=GB, stored_bytes=8) is not None


@pytest.fixture
def system(tmp_path):
    def write(path, text):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    write("proc/meminfo", "MemTotal: 9000000 kB\nMemAvailable:  8000000 kB\n")
    write("proc/self/cgroup", "0::/jobs/7\n")
    return write


def available(folder):
    return available_memory_bytes(proc=folder / "proc", cgroups=folder / "cgroup")


def test_the_least_of_kernel_and_control_groups_counts(system, tmp_path):
    assert available(tmp_path) == 8_000_000 * 1024
    system("cgroup/jobs/7/memory.max", "max\n")
    system("cgroup/jobs/7/memory.current", "5\n")
    assert available(tmp_path) == 8_000_000 * 1024
    system("cgroup/jobs/memory.max", f"{4 * GB}\n")
    system("cgroup/jobs/memory.current", f"{3 * GB}\n")
    system("cgroup/jobs/memory.stat", f"anon 1\ninactive_file {GB}\n")
    assert available(tmp_path) == 2 * GB


def test_version_1_of_control_groups_is_known(system, tmp_path):
    system("proc/self/cgroup", "4:memory:/job\n3:cpu:/\n")
    system("cgroup/memory/job/memory.limit_in_bytes", f"{2 * GB}\n")
    system("cgroup/memory/job/memory.usage_in_bytes", f"{GB}\n")
    assert available(tmp_path) == GB
    system("cgroup/memory/job/memory.limit_in_bytes", f"{2**63 - 4096}\n")
    assert available(tmp_path) == 8_000_000 * 1024


def test_a_system_that_says_nothing_is_unknown(tmp_path):
    assert available(tmp_path) is None
