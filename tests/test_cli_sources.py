"""The commands that bring audio into the library: what they print, and their exit codes.

What Spotify would say stands in; the downloads are real jobs, of which those succeed whose audio is there already.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sfwidgets import Workbench, cli, cli_progress, cli_sources, sources
from sfwidgets.errors import InvalidInputError, NotFoundError, SlowDownError, UpstreamTimeoutError
from sfwidgets.models import SourceList, SourceTrack

Song = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]
LINK = "https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M"


@pytest.fixture
def soundforge(shared_wb: Workbench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command on the library that tests share; returns its exit code, standard output and standard error."""

    def run(*arguments: Any) -> tuple[int, str, str]:
        library = ("--library", str(shared_wb.settings.library))
        monkeypatch.setattr("sys.argv", ["soundforge", *map(str, arguments), *library])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def spotify(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `Workbench.fetch` answers next: a list, or an error to raise."""
    answers: list[Any] = []

    def fetch(_wb: Workbench, url: str, *, patience: float | None = None) -> SourceList:
        assert url == LINK
        assert patience is not None
        answer = answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(Workbench, "fetch", fetch)
    monkeypatch.setattr(sources, "check_online", lambda settings: None)
    return answers


def playlist(*tracks: SourceTrack) -> SourceList:
    return SourceList(type="playlist", id="p", name="Road Trip", tracks=tracks, left_out=2, url=LINK)


# Nobody offers the second one, which would last ten days: its download fails.
SONGS = (
    SourceTrack(id="cliOne", title="One", artists=("Ann", "Bob"), duration=185.4),
    SourceTrack(id="cliTwo", title="Two", artists=("Cee",), duration=900_000.0),
)


def test_add_takes_files_and_folders_and_says_what_became_of_each(soundforge: Run, song: Song, tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    first, second = song(1, seed=3101, name="music/a.wav"), song(1, seed=3102, name="b.wav")
    (tmp_path / "music" / "notes.mp3").write_text("not music")
    code, out, err = soundforge("add", first.parent, second, first)
    assert code == 1, "one was refused, the others are there"
    assert out.splitlines() == [
        f"added      {first}", f"added      {second}", f"was there  {first}",
        "2 added, 1 there already, 1 refused",
    ]  # fmt: skip
    assert err.startswith(f"refused    {first.parent / 'notes.mp3'}: notes.mp3 can't be decoded")
    code, out, _ = soundforge("add", second, tmp_path / "nowhere", first, first, "--json")
    rows = json.loads(out)
    assert [(row["file"], row["state"], row["code"]) for row in rows] == [
        (str(second), "known", ""), (str(tmp_path / "nowhere"), "refused", "file_missing"),
        (str(first), "known", ""), (str(first), "known", ""),
    ]  # fmt: skip
    assert code == 1
    assert rows[2]["id"] == rows[3]["id"] != rows[0]["id"]
    assert rows[1]["id"] is None


def test_add_says_what_can_never_be_added(soundforge: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert soundforge("add", tmp_path / "empty") == (2, "", f"No audio files in {tmp_path / 'empty'}.\n")
    assert soundforge("add", LINK) == (2, "", f"{LINK} is a link: soundforge download\n")
    notes = tmp_path / "notes.txt"
    notes.write_text("not music")
    code, _, err = soundforge("add", notes, tmp_path / "empty")
    assert (code, err.splitlines()[0]) == (1, f"refused    {notes}: notes.txt is no audio file.")
    code, out, _ = soundforge("add", tmp_path / "empty", "--json")
    assert (code, [row["code"] for row in json.loads(out)]) == (2, ["no_audio_files"])


def test_fetch_shows_a_list_with_lengths_and_what_was_left_out(soundforge: Run, spotify: list[Any]) -> None:
    spotify += [playlist(*SONGS)]
    code, out, _ = soundforge("fetch", LINK)
    assert code == 0
    lines = out.splitlines()
    assert "Road Trip" in lines[0]
    assert lines[1:3] == ["1  Ann, Bob – One  3:05", "2  Cee – Two  250:00:00"]
    assert "2" in lines[3]
    spotify += [playlist(*SONGS)]
    document = json.loads(soundforge("fetch", LINK, "--json")[1])
    assert SourceList.model_validate(document) == playlist(*SONGS)


def test_fetch_goes_on_asking_while_it_takes_long_and_says_why(
    soundforge: Run, spotify: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    monkeypatch.setattr(cli_sources.time, "sleep", rests.append)
    limit = SlowDownError("Spotify asks to wait 30 s.", details={"retryAfter": 30})
    spotify += [limit, limit, UpstreamTimeoutError("Not all is here yet.", details={"retryAfter": 0}), playlist()]
    code, out, err = soundforge("fetch", LINK)
    assert (code, err.splitlines(), rests) == (0, ["Spotify asks to wait 30 s.", "Not all is here yet."], [30, 30, 1])
    assert "nothing" in out
    spotify += [SlowDownError("Spotify asks to wait a day.", details={"retryAfter": 86400})]
    code, _, err = soundforge("fetch", LINK)
    assert code == 1
    assert "a day" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("fetch",), ("fetch", LINK, "--search", "words"), ("download", LINK, "--then", "dance"),
        ("download", LINK, "--format", "aiff"), ("download", LINK, "--bitrate", "9k"), ("download",), ("add",),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_ends_before_anybody_is_asked(soundforge: Run, spotify: list[Any], arguments: list[str]) -> None:
    code, out, err = soundforge(*arguments)
    assert (code, out) == (2, "")
    assert err.strip()


def test_a_download_tells_of_each_track_and_what_to_do_next(
    soundforge: Run, spotify: list[Any], shared_wb: Workbench, song: Song
) -> None:
    shared_wb.add(song(2, seed=3103), id="cliOne", title="One")
    spotify += [playlist(*SONGS)]
    code, out, err = soundforge("download", LINK, "--then", "analyze")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "was there  One"
    assert lines[1].startswith("failed     Two: ")
    assert lines[2] == (
        f"1 of 2 are in the library, {shared_wb.settings.library}. "
        "Run the same command again: only what is missing is made."
    )
    assert "2 of 2: " in err
    assert shared_wb.track("cliOne").has_analysis, "it waits for what follows"
    spotify += [playlist(SONGS[0])]
    code, out, _ = soundforge("download", LINK, "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["name"], answer["leftOut"], answer["failed"]) == ("Road Trip", 2, 0)
    (track,) = answer["tracks"]
    assert (track["trackId"], track["state"], track["copy"]) == ("cliOne", "was there", None)
    assert track["path"] == str(shared_wb.path("cliOne"))


def test_a_download_is_copied_once_under_a_name_for_people(
    soundforge: Run, spotify: list[Any], shared_wb: Workbench, song: Song, tmp_path: Path
) -> None:
    there = song(1, seed=3104)
    shared_wb.add(there, id="cliThree", title="Three/Four", artist="Ann: Bob")
    out = tmp_path / "new" / "copies"
    taken = out / "Ann_ Bob - Three_Four.wav"
    for _ in range(2):
        spotify += [playlist(SourceTrack(id="cliThree", title="Three/Four", artists=("Ann: Bob",)))]
        code, said, _ = soundforge("download", LINK, "--out", out)
        assert (code, taken.read_bytes()) == (0, there.read_bytes())
        assert said.splitlines()[-1] == f"It is in the library, {shared_wb.settings.library}. Copies are in {out}."
        assert [file.name for file in out.iterdir()] == [taken.name]
    taken.write_text("somebody else's")
    spotify += [playlist(SourceTrack(id="cliThree", title="Three/Four", artists=("Ann: Bob",)))]
    (track,) = json.loads(soundforge("download", LINK, "--out", out, "--json")[1])["tracks"]
    assert Path(track["copy"]) == out / "Ann_ Bob - Three_Four (2).wav"
    assert Path(track["copy"]).read_bytes() == there.read_bytes()
    assert taken.read_text() == "somebody else's"


@pytest.mark.parametrize(
    ("code", "advised"),
    [("no_match", "soundforge add"), ("unfit_download", "soundforge add"), ("download_timeout", "Run the same")],
)
def test_trying_again_is_advised_where_it_can_help(
    soundforge: Run, spotify: list[Any], monkeypatch: pytest.MonkeyPatch, code: str, advised: str
) -> None:
    failed = cli_progress.Part("cliTwo", "Two", "failed", "It did not come.", code)
    monkeypatch.setattr(Workbench, "download", lambda *_, **__: SimpleNamespace(id="j"))
    monkeypatch.setattr(cli_progress, "follow", lambda *_: [failed])
    spotify += [playlist(SONGS[1])]
    ended, out, _ = soundforge("download", LINK)
    assert ended == 1
    last = out.splitlines()[-1]
    assert [text for text in ("soundforge add", "Run the same") if text in last] == [advised]


def test_an_interrupted_download_says_how_to_end_it(
    soundforge: Run, spotify: list[Any], monkeypatch: pytest.MonkeyPatch, shared_wb: Workbench
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    running = SimpleNamespace(id="1a2b3c", value=SimpleNamespace(done=False))
    monkeypatch.setattr(Workbench, "download", lambda *_, **__: running)
    monkeypatch.setattr(cli_progress, "follow", interrupted)
    spotify += [playlist(SONGS[1])]
    code, _, err = soundforge("download", LINK)
    assert code == 130
    assert err.splitlines()[-1] == (
        "soundforge: stopped watching. The download goes on: the same command follows it again, "
        f"`soundforge cancel 1a2b3c --library {shared_wb.settings.library}` ends it."
    )


def test_cancel_ends_a_whole_download(soundforge: Run, shared_wb: Workbench) -> None:
    batch, parts = shared_wb._jobs.table.submit_batch(
        shared_wb.owner, "download", {"cliFive": {}, "cliSix": {}}, options={"name": "Mix"}, settings={}
    )
    assert soundforge("cancel", batch.id) == (0, "Mix: cancelled\n", "")
    assert {shared_wb.job(part.id).status for part in parts} == {"cancelled"}
    code, out, err = soundforge("cancel", batch.id, "nosuchjob", "--json")
    assert (code, [answer.get("status") for answer in json.loads(out)]) == (2, ["cancelled", None])
    assert "nosuchjob" in err


def test_links_that_lead_nowhere_do_not_stop_the_others(soundforge: Run, spotify: list[Any]) -> None:
    spotify += [NotFoundError("Spotify does not have it."), InvalidInputError("That is no link."), playlist()]
    code, out, err = soundforge("download", LINK, LINK, LINK, "--json")
    assert code == 2
    assert [answer["code"] for answer in json.loads(out)] == [
        "not_found",
        "invalid_input",
        "nothing_to_download",
    ]
    assert "Spotify does not have it." in err
    assert "nothing to download in Road Trip: 2 left out" in err


def test_an_interrupt_says_that_the_work_goes_on(soundforge: Run, spotify: list[Any]) -> None:
    spotify += [KeyboardInterrupt()]
    code, _, err = soundforge("download", LINK)
    assert code == 130
    assert "goes on" in err
