"""Links in the import panel, as its page speaks to it.

What Spotify would say stands in; the downloads are real jobs, of which those succeed whose audio is there already.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sfwidgets import Workbench, sources
from sfwidgets.errors import InvalidInputError, NotFoundError, SlowDownError
from sfwidgets.models import SourceList, SourceTrack
from sfwidgets.widgets.importing import ImportPanel
from sfwidgets.widgets.jobs import JobQueue
from sfwidgets.widgets.looked_up import KEPT, SHOWN, picture

Song = Callable[..., Path]
LINK = "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"
NO_SUCH_LENGTH = 900_000.0
"""Seconds: nobody offers such a recording, so that its download fails."""
ONLY_ADD = {"separate": False, "analyze": False}


def tracks(count: int) -> tuple[SourceTrack, ...]:
    return tuple(
        SourceTrack(id=f"link{n}", title=f"Song {n}", artists=("Ann",), duration=NO_SUCH_LENGTH) for n in range(count)
    )


def playlist(count: int, **fields: Any) -> SourceList:
    return SourceList.model_validate(
        {"type": "playlist", "id": "p", "name": "Road Trip", "tracks": tracks(count), "left_out": 1, **fields}
    )


def leads_to(found: SourceList, monkeypatch: pytest.MonkeyPatch, wb: Workbench) -> None:
    monkeypatch.setattr(wb, "fetch", lambda url, *, patience: found)
    monkeypatch.setattr(sources, "check_online", lambda settings: None)


def until(said: Callable[[], bool]) -> None:
    for _ in range(1200):
        if said():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come true")


def test_a_list_is_shown_in_part_and_what_is_in_the_library_is_told(
    wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    wb.add(song(1), id="link2")
    leads_to(playlist(2345), monkeypatch, wb)
    shown = ImportPanel(wb).answer_fetch(LINK)
    assert (shown["name"], shown["total"], shown["leftOut"], shown["there"]) == ("Road Trip", 2345, 1, [2])
    assert len(shown["tracks"]) == SHOWN
    assert shown["tracks"][7] == {"title": "Song 7", "artist": "Ann", "duration": NO_SUCH_LENGTH}


def test_what_can_not_be_looked_up_reaches_the_page_with_when_to_ask_again(
    wb: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel, answers = ImportPanel(wb), []
    monkeypatch.setattr(panel, "send", lambda content, buffers=None: answers.append(content))

    def fetch(url: str, *, patience: float) -> SourceList:
        raise SlowDownError("Spotify asks to wait 30 s.", details={"retryAfter": 30})

    monkeypatch.setattr(wb, "fetch", fetch)
    panel._answer({"ask": "fetch", "id": 1, "link": LINK}, [])
    assert answers[0]["error"] == {
        "error": "Spotify asks to wait 30 s.", "code": "slow_down", "details": {"retryAfter": 30},
    }  # fmt: skip


def test_a_playlist_is_downloaded_each_track_is_told_of_and_what_failed_is_asked_for_again(
    shared_wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_wb.add(song(1, seed=3201), id="link0", title="There")
    leads_to(playlist(3), monkeypatch, shared_wb)
    panel = ImportPanel(shared_wb)
    added: list[str] = []
    done: list[str] = []
    panel.on_added(added.append)
    panel.on_done(done.append)
    key = panel.answer_fetch(LINK)["key"]
    item = panel.answer_download(key, [2], {"separate": False, "analyze": True})
    assert (item["title"], item["state"]) == ("Road Trip", "running")
    until(lambda: panel.items[0]["state"] == "failed")
    [job] = panel.items[0]["jobs"]
    assert (job["what"], job["track"], job["status"]) == ("Downloads", "Road Trip", "completed")
    assert job["counts"] == {"total": 2, "completed": 1, "failed": 1, "cancelled": 0}
    [failure] = panel.answer_failed(item["key"], job["id"])
    assert failure["title"] == "Song 1"
    assert failure["error"]
    until(lambda: done == ["link0"])
    assert added == ["link0"]
    assert shared_wb.track("link0").has_analysis, "it is told of once all is done"
    queue = JobQueue(shared_wb)
    batch = next(row for row in queue.answer_jobs() if row["id"] == job["id"])
    assert batch["track"] == "Road Trip"
    assert queue.answer_failed(job["id"]) == [failure]
    assert not {"Song 1", "There"} & {row["track"] for row in queue.answer_jobs() if row["what"] == "Download"}
    panel.answer_retry(item["key"], job["id"])
    until(lambda: panel.items[0]["jobs"][0]["id"] != job["id"] and panel.items[0]["state"] == "failed")
    assert panel.items[0]["jobs"][0]["counts"]["total"] == 1, "only the one that failed"
    panel.close()


def test_one_track_alone_is_a_download_and_what_follows_it_is_shown(
    shared_wb: Workbench, song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_wb.add(song(2, seed=3202), id="link0alone", title="Alone")
    one = tracks(1)[0].model_copy(update={"id": "link0alone"})
    leads_to(SourceList(type="track", id=one.id, name="Song 0", tracks=(one,)), monkeypatch, shared_wb)
    panel = ImportPanel(shared_wb)
    done: list[str] = []
    panel.on_done(done.append)
    settings = {"separate": True, "analyze": False, "model": "embedded", "twoStems": "vocals"}
    panel.answer_download(panel.answer_fetch(LINK)["key"], [], settings)
    until(lambda: panel.items[0]["state"] == "done")
    shown = panel.items[0]
    assert [job["kind"] for job in shown["jobs"]] == ["download", "processing"]
    assert (shown["title"], shown["trackId"]) == ("Ann – Song 0", "link0alone")
    assert {Path(stem.name).stem for stem in shared_wb.stems("link0alone").stems} == {"vocals", "no_vocals"}
    until(lambda: done == ["link0alone"])
    panel.close()


def test_choices_that_can_not_be_are_refused(wb: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = ImportPanel(wb)
    leads_to(playlist(2), monkeypatch, wb)
    first = panel.answer_fetch(LINK)["key"]
    for without in ([0, 1], "all", [None]):
        with pytest.raises(InvalidInputError):
            panel.answer_download(first, without, ONLY_ADD)
    with pytest.raises(InvalidInputError):
        panel.answer_download(first, [], {"model": 7})
    for _ in range(KEPT):
        panel.answer_fetch(LINK)
    with pytest.raises(NotFoundError):
        panel.answer_download(first, [], ONLY_ADD)
    assert panel.items == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://i.scdn.co/image/ab67", True), ("https://mosaic.spotifycdn.com/x", True), ("http://i.scdn.co/x", False),
        ("https://evil.example/i.scdn.co", False), ("https://evilspotifycdn.com/x", False), ("javascript:alert(1)", False),
        ("https://i.scdn.co.evil.example/x", False), (None, False),
    ],
)  # fmt: skip
def test_only_spotify_s_own_pictures_are_shown(url: str | None, shown: bool) -> None:
    assert picture(playlist(0, artwork_url=url)) == (url if shown else None)
