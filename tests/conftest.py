"""What tests of several packages share: songs that are synthesised, and one library with its workers."""

from __future__ import annotations

import importlib.util
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from simple_song import write_song

for _name in ("AUDIO_DATA_PATH", "MODELS_DIR", "DATABASE_URL", "DASK_SCHEDULER", "REDIS_URL"):
    os.environ.pop(_name, None)
os.environ["SOUNDFORGE_OFFLINE"] = "true"
# urllib keeps the proxies of its first request, which may be a test's own.
urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({})))

from sfwidgets import Workbench  # noqa: E402
from sfwidgets.jobs import stop_cluster  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--services", action="store_true", help="Run the tests on PostgreSQL, Redis and a cluster of its own processes."
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "embedded: about what SQLite's file or the library's own cluster does; not with --services"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--services"):
        for item in items:
            if item.get_closest_marker("embedded"):
                item.add_marker(pytest.mark.skip(reason="is about what one machine alone does"))


@pytest.fixture(scope="session", autouse=True)
def _services(request: pytest.FixtureRequest) -> Iterator[None]:
    if not request.config.getoption("--services"):
        yield
        return
    from services.everywhere import services

    with services():
        yield


@pytest.fixture(autouse=True)
def _forgotten(request: pytest.FixtureRequest) -> Iterator[None]:
    """With --services, drop the databases of a test's own libraries when it has ended."""
    with_services = request.config.getoption("--services") and "tmp_path" in request.fixturenames
    place = request.getfixturevalue("tmp_path") if with_services else None
    yield
    if place is not None:
        from services.everywhere import forget

        forget(place)


@pytest.fixture
def song(tmp_path: Path) -> Callable[..., Path]:
    """Return what writes a song: song(seconds, seed=0, name="song.wav")."""
    return lambda seconds, seed=0, name="song.wav": write_song(tmp_path / name, seconds, seed=seed)


@pytest.fixture
def wb(tmp_path: Path) -> Iterator[Workbench]:
    """A workbench on a library of its own; its workers, if it starts any, are gone afterwards."""
    with Workbench(tmp_path / "library") as workbench:
        yield workbench
    stop_cluster(workbench.settings)


@pytest.fixture(scope="session")
def shared_wb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """A workbench whose workers stay warm for the whole session: for tests that harm nothing."""
    with Workbench(tmp_path_factory.mktemp("shared") / "library") as workbench:
        yield workbench
    stop_cluster(workbench.settings)


@pytest.fixture(scope="session")
def excerpt() -> Path:
    """Six seconds of real music with its four true stems, from the package stempeg."""
    spec = importlib.util.find_spec("stempeg")
    assert spec is not None
    assert spec.origin is not None
    return next((Path(spec.origin).parent / "data").glob("*.stem.mp4"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium, one a test module: its event loop holds this thread, on which other tests run theirs."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)  # two browsers may share two cores
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        browser.close()
