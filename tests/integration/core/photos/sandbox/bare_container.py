"""Run a program as a container without any right does: no capability, and the system calls named first refused.

`python bare_container.py unshare,setns PROGRAM [ARGUMENT...]`
"""

import ctypes
import errno
import os
import sys

import pyseccomp

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38


def main(refused: list[str], command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # an ordinary user has none to drop
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for name in refused:
        rules.add_rule(pyseccomp.ERRNO(errno.EPERM), name)
    rules.load()
    os.execv(command[0], command)


if __name__ == "__main__":
    main([name for name in sys.argv[1].split(",") if name], sys.argv[2:])
