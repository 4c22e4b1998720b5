"""Which videos may be the recording: pairs as YouTube's search gives them, judged by a person."""

from __future__ import annotations

import pytest

from sfwidgets.models import SourceTrack
from sfwidgets.sources.matching import Candidate, likeliest_first


def video(title, duration=200.0, channel="Queen - Topic", url=None):
    return Candidate(url or f"https://www.youtube.com/watch?v={title}-{duration}", title, channel, duration)


def titles(found, track):
    return [candidate.title for candidate in likeliest_first(found, track)]


def track(title, *artists, duration=200.0, album=""):
    return SourceTrack(id="x", title=title, artists=artists or ("Queen",), duration=duration, album=album)


@pytest.mark.parametrize(("title", "called"), [
    ("Bohemian Rhapsody - Remastered 2011", "Queen – Bohemian Rhapsody (Official Video Remastered)"),
    ("Don't Stop Me Now", "Queen - Dont Stop Me Now (Lyrics)"),
    ("Don’t Stop Me Now", "Don't Stop Me Now"),
    ("Under Pressure (feat. David Bowie)", "Under Pressure"),
    ("Für Elise", "FUR ELISE"),
    ("Live and Let Die", "Live And Let Die"),
    ("Radio Ga Ga - Live at Wembley", "Radio Ga Ga (Live At Wembley Stadium, July 1986)"),
    ("東京は夜の七時", "Pizzicato Five / 東京は夜の七時(Official)"),
    ("Звезда по имени Солнце", "Кино - Звезда по имени Солнце"),
    ("???", "anything"),
    ("(You're the) Devil", "You're The Devil"),
])  # fmt: skip
def test_the_same_recording_under_another_title(title, called):
    assert titles([video(called)], track(title)) == [called]


@pytest.mark.parametrize(("title", "called"), [
    ("Bohemian Rhapsody", "Bohemian Rhapsody (Karaoke Version)"),
    ("Bohemian Rhapsody", "Queen - Bohemian Rhapsody (Live Aid 1985)"),
    ("Bohemian Rhapsody", "bohemian rhapsody but it's slowed + reverb"),
    ("Bohemian Rhapsody", "How to play Bohemian Rhapsody, piano tutorial"),
    ("Bohemian Rhapsody", "We Will Rock You"),
    ("Radio Ga Ga - Live at Wembley", "Radio Ga Ga"),
    ("Jóga - Alec Empire Remix", "Jóga"),
])  # fmt: skip
def test_another_recording(title, called):
    assert titles([video(called)], track(title)) == []


def test_a_band_or_an_album_may_be_called_like_a_version():
    found = [video("Selling the Drama by Live"), video("Selling the Drama (MTV Unplugged, live)", 201.0)]
    assert titles(found, track("Selling the Drama", "Live")) == [candidate.title for candidate in found]
    assert titles([video("Roxanne (Live)")], track("Roxanne", "The Police", album="Live!")) == ["Roxanne (Live)"]


def test_those_far_off_in_length_are_left_out():
    lengths = [190.0, 193.0, 200.4, 207.0, 208.0, None]
    found = [video("Bicycle Race", length) for length in lengths]
    assert [c.duration for c in likeliest_first(found, track("Bicycle Race"))] == [200.4, 193.0, 207.0]


def test_the_closest_in_length_comes_first_and_the_search_decides_between_equals():
    found = [video("Innuendo", 203.0), video("Innuendo (b)", 199.0), video("Innuendo (c)", 201.0)]
    assert titles(found, track("Innuendo")) == ["Innuendo (b)", "Innuendo (c)", "Innuendo"]


def test_one_that_names_the_artist_comes_before_a_closer_one_that_does_not():
    found = [video("Hello", 200.0, "Lionel Richie - Topic"), video("Adele - Hello", 204.0, "somebody")]
    assert titles(found, track("Hello", "Adele")) == ["Adele - Hello", "Hello"]


def test_without_a_length_the_search_decides():
    found = [video("One Vision", 500.0), video("One Vision (b)", None), video("One Vision (c)", 200.0)]
    assert titles(found, track("One Vision", duration=None)) == [candidate.title for candidate in found]


def test_each_address_comes_once():
    found = [video("The Miracle", url="https://www.youtube.com/watch?v=a")] * 2
    assert len(likeliest_first(found, track("The Miracle"))) == 1
