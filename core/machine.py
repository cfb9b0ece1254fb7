"""How much of its machine this process may use: cores and memory, within what its container is given.

A container's limits are those of its control group (Linux cgroups, version 1 or 2) and of the groups around it. Python
sees none of them: `os.cpu_count` and the CPU affinity are the host's.
"""

import os
from collections.abc import Iterator
from math import ceil
from pathlib import Path, PurePosixPath

_PROCESS = Path("/proc/self")
_NO_LIMIT = ("max", "-1")  # as versions 2 and 1 write it


def available_cores(process: Path = _PROCESS) -> int:
    """Cores that this process may use: its CPU affinity, or its group's quota (rounded up) where that is less."""
    quotas = [quota for group in _groups(process, "cpu") if (quota := _quota(group)) is not None]
    return max(1, min([len(os.sched_getaffinity(0)), *map(ceil, quotas)]))


def available_memory(process: Path = _PROCESS) -> int:
    """Bytes of memory that this process may use: the machine's, or its group's limit where that is less."""
    limits = [
        int(limit)
        for group in _groups(process, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _read(group / name)) is not None and limit not in _NO_LIMIT
    ]
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *limits])


def _quota(group: Path) -> float | None:
    """The cores that a group's processes may use together, None where all."""
    both = _read(group / "cpu.max")  # version 2
    if both is None:
        both = f"{_read(group / 'cpu.cfs_quota_us')} {_read(group / 'cpu.cfs_period_us')}"
    quota, period = both.split()
    return None if quota in (*_NO_LIMIT, "None") else int(quota) / int(period)


def _groups(process: Path, controller: str) -> Iterator[Path]:
    """The folders of the process's groups with this controller, from its own one up to the root that it can see."""
    mounts = [line.split() for line in (_read(process / "mountinfo") or "").splitlines()]
    for line in (_read(process / "cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for fields in mounts:
            kind, options = fields[fields.index("-") + 1], fields[-1].split(",")
            if kind == ("cgroup" if controllers else "cgroup2") and (not controllers or controller in options):
                yield from _up_to_mount(path, root=fields[3], mount=Path(fields[4]))


def _up_to_mount(path: str, root: str, mount: Path) -> Iterator[Path]:
    """`path` is a group's name on the host, `root` the group that is mounted at `mount`."""
    inside = PurePosixPath(path)
    folder = mount / inside.relative_to(root) if inside.is_relative_to(root) else mount
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None
