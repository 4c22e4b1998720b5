"""Read by every Python that a test run with --services starts: each library it opens is on PostgreSQL.

What would be a library's own cluster becomes a scheduler and a worker of their own.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class _After(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets a module of ours be loaded as ever, and then changes what it says; nothing is loaded for it before."""

    def __init__(self, module: str, change: str) -> None:
        self._module = module
        self._change = change

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        assert spec is not None
        assert spec.loader is not None
        self._plain = spec.loader
        spec.loader = self
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._plain.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._plain.exec_module(module)
        where = Path(__file__).parents[1] / "everywhere.py"
        spec = importlib.util.spec_from_file_location("services_everywhere", where)
        assert spec is not None
        assert spec.loader is not None
        everywhere = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(everywhere)
        getattr(everywhere, self._change)(module)


if "SF_TEST_SERVICES" in os.environ:
    if sys.orig_argv[1:3] == ["-m", "sfwidgets.jobs.daemon"]:
        os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("remote_machines.py"))])
    sys.meta_path[:0] = [_After("sfwidgets.settings", "elsewhere"), _After("sfwidgets.jobs.cluster", "remote")]
