"""A file of what is heard."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sfwidgets import Workbench
from sfwidgets.audio import decode, probe
from sfwidgets.errors import InvalidInputError, NotFoundError
from sfwidgets.models import Lane, Mix, Span, Track

RATE = 44100
Make = Callable[..., Track]
Decoded = Callable[[Track], dict[str, NDArray[np.float64]]]

MIX = Mix(
    lanes={
        "vocals": Lane(volume=0.5, pan=-0.5),
        "drums": Lane(volume=1.25, pan=0.3),
        "bass": Lane(muted=True),
        "other": Lane(volume=2.0, pan=1.0),
    },
    volume=0.4,
)
GAINS = {"vocals": (0.2, 0.1), "drums": (0.35, 0.5), "other": (0.0, 0.8)}
"""By hand, from the rule: volume × master, and the balance lowers the side that it leans away from."""


def samples(path: Path) -> NDArray[np.float64]:
    return soundfile.read(path, always_2d=True)[0].T


def summed(stems: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    return sum(np.array(pair)[:, None] * stems[name] for name, pair in GAINS.items())


def test_the_samples_are_the_stems_summed_with_the_set_gains(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, tmp_path: Path
) -> None:
    track = make_track()
    path = shared_wb.render(track, tmp_path / "mix.wav", mix=MIX, bit_depth=32)
    assert (probe(path).sample_rate, probe(path).channels, probe(path).codec) == (RATE, 2, "pcm_f32le")
    expected = summed(decoded(track))
    assert np.abs(expected).max() > 0.05
    np.testing.assert_allclose(samples(path), expected, atol=1e-6)


def test_the_saved_mix_is_what_is_heard(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, tmp_path: Path
) -> None:
    track = make_track()
    shared_wb.save_mix(track, Mix(lanes={"vocals": Lane(soloed=True), "drums": Lane(soloed=True, muted=True)}))
    try:
        path = shared_wb.render(track, tmp_path / "mix.wav", bit_depth=32)
        np.testing.assert_allclose(samples(path), decoded(track)["vocals"], atol=1e-6)
    finally:
        shared_wb.save_mix(track, Mix())


@pytest.mark.parametrize("span", [(1.25, 3.5), Span(start=1.25, end=3.5)])
def test_a_span_is_a_stretch_of_the_whole(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, tmp_path: Path, span: Span | tuple[float, float]
) -> None:
    path = shared_wb.render(make_track(), tmp_path / "mix.wav", mix=MIX, span=span, bit_depth=32)
    expected = summed(decoded(make_track()))[:, round(1.25 * RATE) : round(3.5 * RATE)]
    np.testing.assert_allclose(samples(path), expected, atol=1e-6)


def test_a_span_beyond_the_end_stops_there(shared_wb: Workbench, make_track: Make, tmp_path: Path) -> None:
    path = shared_wb.render(make_track(), tmp_path / "mix.wav", span=(4, 100))
    assert probe(path).duration == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("span", [(2, 2), (3, 2), (-1, 2), (5.1, 6), (float("nan"), 2), (0, float("nan"))])
def test_a_span_of_nothing_is_refused(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, span: tuple[float, float]
) -> None:
    with pytest.raises(InvalidInputError, match="nothing of this track"):
        shared_wb.render(make_track(), tmp_path / "mix.wav", span=span)
    assert list(tmp_path.iterdir()) == []


def test_one_stem_is_written_at_gain_one(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, tmp_path: Path
) -> None:
    path = shared_wb.render(make_track(), tmp_path / "bass.wav", stem="bass", mix=MIX, bit_depth=32)
    np.testing.assert_allclose(samples(path), decoded(make_track())["bass"], atol=1e-6)
    with pytest.raises(NotFoundError, match="piano"):
        shared_wb.render(make_track(), tmp_path / "piano.wav", stem="piano")


def test_the_mixture_is_the_track_as_it_was_added(shared_wb: Workbench, make_track: Make, tmp_path: Path) -> None:
    track = make_track()
    original = samples(shared_wb.path(track))
    path = shared_wb.render(track, tmp_path / "a.wav", mix=Mix(source="mixture", volume=0.5), bit_depth=32)
    np.testing.assert_allclose(samples(path), 0.5 * original, atol=1e-6)
    path = shared_wb.render(track, tmp_path / "b.wav", stem="mixture", mix=MIX, bit_depth=32)
    np.testing.assert_allclose(samples(path), original, atol=1e-6)


def test_a_track_without_stems_is_heard_as_it_was_added(shared_wb: Workbench, make_track: Make, tmp_path: Path) -> None:
    track = make_track(rate=48000, stems=False)
    path = shared_wb.render(track, tmp_path / "mix.wav", bit_depth=32)
    assert probe(path).sample_rate == 48000
    np.testing.assert_allclose(samples(path), samples(shared_wb.path(track)), atol=1e-6)


def test_all_muted_is_silence_of_the_right_length(shared_wb: Workbench, make_track: Make, tmp_path: Path) -> None:
    mix = Mix(lanes={name: Lane(muted=True) for name in ("vocals", "drums", "bass", "other")})
    heard = samples(shared_wb.render(make_track(), tmp_path / "mix.wav", mix=mix))
    assert heard.shape == (2, 5 * RATE)
    assert not heard.any()


@pytest.mark.parametrize(("speed", "rate"), [(0.5, None), (1.25, None), (1.0, 48000), (0.8, 22050)])
def test_speed_and_sample_rate_give_the_length(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, speed: float, rate: int | None
) -> None:
    path = shared_wb.render(make_track(), tmp_path / "mix.flac", mix=Mix(speed=speed), sample_rate=rate, span=(1, 4))
    assert probe(path).sample_rate == (rate or RATE)
    assert samples(path).shape[1] == pytest.approx(3 / speed * (rate or RATE), abs=1)


@pytest.mark.parametrize(("format", "bits", "codec"), [
    ("wav", 16, "pcm_s16le"), ("wav", 24, "pcm_s24le"), ("flac", 16, "flac"), ("flac", 24, "flac"), ("mp3", 24, "mp3"),
    ("ogg", 24, "vorbis"),
])  # fmt: skip
def test_every_format_is_written_with_its_tags(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, format: str, bits: int, codec: str
) -> None:
    tags = {"title": "Übung", "artist": "Ich", "album": "Proben", "comment": "ohne Bass"}
    path = shared_wb.render(make_track(), tmp_path / "mix.bin", mix=MIX, format=format, bit_depth=bits, tags=tags)
    info = probe(path)
    assert (info.codec, info.sample_rate, info.title, info.artist) == (codec, RATE, "Übung", "Ich")
    heard = np.concatenate(list(decode(path)), axis=1)
    expected = samples(shared_wb.render(make_track(), tmp_path / "mix.wav", mix=MIX, bit_depth=32))
    assert heard.shape == expected.shape
    error = np.sqrt(np.mean((heard - expected) ** 2) / np.mean(expected**2))
    assert error < (0.25 if codec in ("mp3", "vorbis") else 1e-3)


def test_mp3_takes_the_highest_rate_that_it_has(shared_wb: Workbench, make_track: Make, tmp_path: Path) -> None:
    path = shared_wb.render(make_track(rate=96000, stems=False), tmp_path / "mix.mp3")
    assert probe(path).sample_rate == 48000


@pytest.mark.parametrize("options", [
    {"format": "aiff"}, {"sample_rate": 7999}, {"sample_rate": 192001}, {"bit_depth": 12}, {"normalize": "loud"},
    {"tags": {"lyrics": "la"}}, {"format": "flac", "bit_depth": 32}, {"format": "mp3", "sample_rate": 96000},
])  # fmt: skip
def test_what_cannot_be_is_refused_and_leaves_no_file(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, options: dict[str, object]
) -> None:
    with pytest.raises(InvalidInputError):
        shared_wb.render(make_track(), tmp_path / "mix.wav", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_format_and_a_folder_are_refused(
    shared_wb: Workbench, make_track: Make, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"mix\.wav"):
        shared_wb.render(make_track(), tmp_path / "mix")
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InvalidInputError, match="folder"):
        shared_wb.render(make_track(), tmp_path / "folder.wav")


def test_samples_beyond_full_scale_are_told(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    with caplog.at_level(logging.WARNING):
        shared_wb.render(
            make_track(), tmp_path / "mix.flac", mix=Mix(volume=2.0, lanes={"bass": Lane(volume=2.0)}), notices=told
        )
    assert len(told) == 1
    assert "mix.flac were beyond full scale" in told[0]
    assert told[0] in caplog.text
    shared_wb.render(
        make_track(),
        tmp_path / "soft.flac",
        mix=Mix(volume=2.0, lanes={"bass": Lane(volume=2.0)}),
        normalize="peak",
        notices=told,
    )
    assert len(told) == 1
    assert np.abs(samples(tmp_path / "soft.flac")).max() == pytest.approx(10 ** (-1 / 20), abs=1e-4)


@pytest.mark.parametrize("normalize", [None, "loudness"])
def test_progress_rises_to_one_and_an_error_in_it_leaves_the_old_file(
    shared_wb: Workbench, make_track: Make, tmp_path: Path, normalize: str | None
) -> None:
    shares: list[float] = []
    path = shared_wb.render(make_track(), tmp_path / "mix.wav", normalize=normalize, progress=shares.append)
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert shares[-1] == 1
    before = path.read_bytes()

    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shared_wb.render(make_track(), path, mix=MIX, normalize=normalize, progress=stop)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["mix.wav"]


def test_an_older_set_of_stems_can_be_rendered(
    shared_wb: Workbench, make_track: Make, decoded: Decoded, tmp_path: Path
) -> None:
    track = make_track()
    first, whole = shared_wb.stems(track), decoded(track)
    shared_wb.separate(track, "embedded", two_stems="vocals").wait()
    try:
        assert {Path(stem.name).stem for stem in shared_wb.stems(track).stems} == {"vocals", "no_vocals"}
        path = shared_wb.render(track, tmp_path / "mix.wav", mix=MIX, stem_set=first, bit_depth=32)
        np.testing.assert_allclose(samples(path), summed(whole), atol=1e-6)
        assert set(shared_wb.peaks(track, first)) == {"mixture", "vocals", "drums", "bass", "other"}
        assert set(shared_wb.peaks(track)) == {"mixture", "vocals", "no_vocals"}
    finally:
        shared_wb.separate(track, "embedded").wait()
