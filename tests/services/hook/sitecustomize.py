"""Read by every Python that a test run with --services starts: each library it opens is on PostgreSQL."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


class _AfterSettings(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Lets `sfwidgets.settings` be loaded as ever, and then changes what it says; nothing is loaded for it before."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "sfwidgets.settings":
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
        everywhere.install(module.Settings)


if "SOUNDFORGE_TEST_SERVICES" in os.environ:
    sys.meta_path.insert(0, _AfterSettings())
