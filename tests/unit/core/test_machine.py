"""Cores and memory as a container limits them: groups of both versions from fake files, and one real quota."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from core.machine import available_cores, available_memory

PHYSICAL = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
GIB = 2**30


class Container:
    """The files of /proc/self and /sys/fs/cgroup that a process would see."""

    def __init__(self, folder: Path) -> None:
        self.process = folder / "proc"
        self.groups = folder / "cgroup"
        self.process.mkdir()
        (self.process / "cgroup").touch()
        (self.process / "mountinfo").write_text("22 1 0:20 / / rw,relatime - ext4 /dev/sda1 rw\n")

    def mount(self, kind: str, *, root: str = "/", at: str = "", options: str = "rw") -> None:
        with (self.process / "mountinfo").open("a") as file:
            file.write(f"31 23 0:28 {root} {self.groups / at} rw,nosuid shared:9 - {kind} cgroup {options}\n")

    def belongs_to(self, *lines: str) -> None:
        (self.process / "cgroup").write_text("".join(f"{line}\n" for line in lines))

    def write(self, **values: str) -> None:
        """`cpu__web__cpu_max="..."` is the file cpu/web/cpu.max."""
        for name, value in values.items():
            *folders, file = name.split("__")
            path = self.groups.joinpath(*folders)
            path.mkdir(parents=True, exist_ok=True)
            (path / file.replace("_", ".", 1)).write_text(f"{value}\n")


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


@pytest.fixture(autouse=True)
def many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))


def test_without_groups_it_is_the_whole_machine(container: Container) -> None:
    assert (available_cores(container.process), available_memory(container.process)) == (64, PHYSICAL)
    assert available_cores(container.process / "none") == 64


@pytest.mark.parametrize(
    ("quota", "cores"), [("400000 100000", 4), ("50000 100000", 1), ("250000 100000", 3), ("max 100000", 64)]
)
def test_version_2_as_a_container_sees_it(container: Container, quota: str, cores: int) -> None:
    container.mount("cgroup2")
    container.belongs_to("0::/")
    container.write(cpu_max=quota, memory_max=str(GIB))
    assert (available_cores(container.process), available_memory(container.process)) == (cores, GIB)


def test_the_groups_around_it_limit_too(container: Container) -> None:
    container.mount("cgroup2")
    container.belongs_to("0::/fleet.slice/worker.service")
    container.write(
        fleet_slice__cpu_max="200000 100000",
        fleet_slice__worker_service__cpu_max="max 100000",
        fleet_slice__worker_service__memory_max="max",
    )
    (container.groups / "fleet_slice").rename(container.groups / "fleet.slice")
    (container.groups / "fleet.slice" / "worker_service").rename(container.groups / "fleet.slice" / "worker.service")
    assert (available_cores(container.process), available_memory(container.process)) == (2, PHYSICAL)


@pytest.mark.parametrize(
    ("quota", "memory", "expected"),
    [("150000", str(2 * GIB), (2, 2 * GIB)), ("-1", "9223372036854771712", (64, PHYSICAL))],
)
def test_version_1_as_docker_mounts_it(
    container: Container, quota: str, memory: str, expected: tuple[int, int]
) -> None:
    """The group's name is the host's; what is mounted at the top is the group itself."""
    container.mount("cgroup", root="/docker/4f2a", at="cpu,cpuacct", options="rw,cpu,cpuacct")
    container.mount("cgroup", root="/docker/4f2a", at="memory", options="rw,memory")
    container.belongs_to("4:memory:/docker/4f2a", "3:cpu,cpuacct:/docker/4f2a", "1:name=systemd:/docker/4f2a")
    cpu = container.groups / "cpu,cpuacct"
    cpu.mkdir(parents=True)
    (cpu / "cpu.cfs_quota_us").write_text(quota)
    (cpu / "cpu.cfs_period_us").write_text("100000")
    (container.groups / "memory").mkdir()
    (container.groups / "memory" / "memory.limit_in_bytes").write_text(memory)
    assert (available_cores(container.process), available_memory(container.process)) == expected


def test_affinity_counts_where_it_is_less(container: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3})
    container.mount("cgroup2")
    container.belongs_to("0::/")
    container.write(cpu_max="400000 100000")
    assert available_cores(container.process) == 1


@pytest.fixture
def one_core() -> Iterator[Path]:
    """The list of processes of a real group that may use as much as one core."""
    group = Path("/sys/fs/cgroup/cpu", f"walkaround-{os.getpid()}")
    with suppress(OSError):
        group.mkdir()
    quota = group / "cpu.cfs_quota_us"
    if not os.access(quota, os.W_OK):
        pytest.skip("no group of version 1 can be made here")
    quota.write_text((group / "cpu.cfs_period_us").read_text())
    yield group / "cgroup.procs"
    group.rmdir()


def test_a_real_process_under_a_quota(one_core: Path) -> None:
    """Everything that a worker sizes by its cores follows the quota, the threads of its engine too."""
    script = f"""
import os
from pathlib import Path
Path({str(one_core)!r}).write_text(str(os.getpid()))
from core.machine import available_cores
from core.settings import Settings
settings = Settings()
print(available_cores(), settings.concurrency, settings.decode_processes, settings.fetchers, settings.database_pool)
from core.model.device import find_device
print(find_device("auto", "float32", None).threads, find_device("auto", "int8", None).threads)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "4", "1", "8", "8", "1", "1"]
