"""What a written file says of itself."""

from __future__ import annotations

import av
import numpy as np
import pytest

from sfwidgets.audio import Encoder, probe, transcode
from sfwidgets.errors import InvalidInputError

RATE = 44100
TAGS = {"title": "Ünï “cödé” 日本 🎵", "artist": "Wer, was & wo", "album": "Ein Album", "comment": "Mit a=b, c"}


def told(path):
    with av.open(str(path)) as container:
        every = {**container.streams[0].metadata, **container.metadata}
    return {name.lower(): value for name, value in every.items()}


@pytest.mark.parametrize("format", ["flac", "wav", "mp3", "ogg"])
def test_tags_are_read_back_in_every_format_and_the_audio_is_whole(tmp_path, read, sine, format):
    path, audio = tmp_path / f"a.{format}", sine(2, RATE, channels=2)
    with Encoder(path, sample_rate=RATE, channels=2, format=format, tags=TAGS) as encoder:
        encoder.write(audio)
    info = probe(path)
    assert (info.title, info.artist, info.album) == (TAGS["title"], TAGS["artist"], TAGS["album"])
    assert told(path)["comment"] == TAGS["comment"]
    assert read(path).shape == audio.shape
    np.testing.assert_allclose(read(path)[:, 5000:-5000], audio[:, 5000:-5000], atol=0.06)


def test_transcoding_writes_tags(tmp_path, sine):
    with Encoder(tmp_path / "a.flac", sample_rate=RATE, channels=1) as encoder:
        encoder.write(sine(1, RATE))
    transcode(tmp_path / "a.flac", tmp_path / "b.mp3", format="mp3", tags={"title": "Neu", "artist": ""})
    assert (probe(tmp_path / "b.mp3").title, probe(tmp_path / "b.mp3").artist) == ("Neu", None)


@pytest.mark.parametrize("format", ["flac", "wav", "mp3", "ogg"])
def test_long_tags_and_line_ends_are_kept_on_one_line(tmp_path, sine, format):
    path, long = tmp_path / f"a.{format}", "ä" * 998
    with Encoder(path, sample_rate=RATE, channels=1, format=format, tags={"title": f"{long}\nb"}) as encoder:
        encoder.write(sine(0.2, RATE))
    assert probe(path).title == f"{long} b"


@pytest.mark.parametrize("tags", [{"lyrics": "la"}, {"title": "x" * 1001}, {"title": 3}])
def test_other_tags_are_refused_and_leave_no_file(tmp_path, tags):
    with pytest.raises(InvalidInputError) as caught:
        Encoder(tmp_path / "a.flac", sample_rate=RATE, channels=1, tags=tags)
    assert caught.value.code == "bad_tag"
    assert list(tmp_path.iterdir()) == []
