from __future__ import annotations

import av
import numpy as np
import pytest

from sfwidgets.audio.channels import mixing_matrix
from sfwidgets.errors import InvalidInputError


def _swresample(layout: str) -> np.ndarray:
    """The downmix to stereo that FFmpeg makes of each channel, for integer samples (scaled against clipping)."""
    columns = []
    count = av.AudioLayout(layout).nb_channels
    for channel in range(count):
        samples = np.zeros((64, count), dtype=np.int16)
        samples[:, channel] = 30_000
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout=layout)
        frame.sample_rate = 48000
        (mixed,) = av.AudioResampler(format="s16", layout="stereo", rate=48000).resample(frame)
        columns.append(mixed.to_ndarray().reshape(-1, 2)[32] / 30_000)
    return np.array(columns).T


@pytest.mark.parametrize("layout", ["3.0", "quad", "5.0", "5.1", "5.1(side)", "6.1", "7.1"])
def test_a_downmix_to_stereo_is_ffmpegs(layout):
    positions = [channel.name for channel in av.AudioLayout(layout).channels]
    assert np.abs(mixing_matrix(positions, 2) - _swresample(layout)).max() < 2e-4


def test_a_downmix_never_leaves_full_scale():
    for count in (3, 5, 6, 8, 12):
        assert mixing_matrix(["NONE"] * count, 2).sum(axis=1).max() == pytest.approx(1.0)


def test_six_channels_without_positions_are_5_1():
    assert np.array_equal(
        mixing_matrix(["NONE"] * 6, 2), mixing_matrix([c.name for c in av.AudioLayout("5.1").channels], 2)
    )


def test_many_become_one_by_the_mean_of_their_stereo():
    positions = ["FL", "FR", "FC", "LFE", "BL", "BR"]
    assert np.allclose(mixing_matrix(positions, 1), mixing_matrix(positions, 2).mean(axis=0, keepdims=True))


def test_stereo_can_not_become_surround():
    with pytest.raises(InvalidInputError) as caught:
        mixing_matrix(["FL", "FR"], 6)
    assert caught.value.code == "unsupported_channels"
