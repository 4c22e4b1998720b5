"""A program that ends what another one left running, when that one is gone, however it went.

It reads `+GROUP` and `-GROUP` lines, a process group that begins or has ended, and kills those still running when its
input ends: the pipe closes with the process at its other end, even with one that was killed. Run by its path, without
the package and without `site`, so that it is there in a few milliseconds and small.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Follow the lines on the standard input, then kill the groups that are left."""
    groups: set[int] = set()
    for line in sys.stdin:
        begins, group = line[0] == "+", int(line[1:])
        (groups.add if begins else groups.discard)(group)
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
