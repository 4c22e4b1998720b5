"""Rounds in which workers, clusters and servers die, or can't be reached, while jobs run; each is told by a seed.

`make test` plays ten, `make soak` a hundred. One alone: pytest "tests/chaos/test_chaos.py::test_round[7]".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from chaos_round import play
from chaos_world import PostgresWorld, ServiceWorld, World
from services.postgres import Postgres
from stand_in_spotdl import StandInSpotdl

QUICK, ALL = 10, 100

Enter = Callable[[str], World]


@pytest.fixture(scope="module")
def spotdl(tmp_path_factory: pytest.TempPathFactory) -> StandInSpotdl:
    return StandInSpotdl(tmp_path_factory.mktemp("spotdl"), seconds=0.1)


@pytest.fixture(scope="module")
def truth() -> dict[str, str]:
    """What came out of the first round that made it: all others must make the same."""
    return {}


@pytest.fixture(scope="module")
def worlds(postgres: Postgres, spotdl: StandInSpotdl) -> Iterator[dict[str, World]]:
    """The worlds that rounds have entered; they stay for the next."""
    del postgres  # ends after them
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "SOUNDFORGE_SPOTDL": str(spotdl.path), "SOUNDFORGE_OFFLINE": "false", "SOUNDFORGE_DOWNLOADS": "2",
            "HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9",
        }.items():  # fmt: skip
            patch.setenv(name, value)
        open_worlds: dict[str, World] = {}
        yield open_worlds
        for world in open_worlds.values():
            world.close()


@pytest.fixture
def enter(worlds: dict[str, World], postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Enter:
    def enter(name: str) -> World:
        if name not in worlds:
            folder = tmp_path_factory.mktemp(name) / "world"
            kinds = {"postgres": PostgresWorld, "service": ServiceWorld}
            worlds[name] = kinds[name](folder, postgres) if name in kinds else World(folder)
        return worlds[name]

    return enter


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [*range(QUICK), *(pytest.param(n, marks=pytest.mark.soak) for n in range(QUICK, ALL))])
def test_round(seed: int, enter: Enter, worlds: dict[str, World], spotdl: StandInSpotdl, truth: dict[str, str]) -> None:
    world = enter(("sqlite", "postgres", "service")[seed % 3])
    try:
        print(play(world, seed, spotdl, truth).story())
    except BaseException:
        del worlds[world.name]  # the next round begins in a world of its own
        world.close()
        raise
