"""The signal-to-distortion ratio, against its definition on whole arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sfwidgets.separation import sdr


def test_it_is_the_energy_ratio_wherever_the_blocks_are_cut() -> None:
    random = np.random.default_rng(0)
    truth = random.standard_normal((2, 10_000)).astype(np.float32)
    guess = truth + 0.1 * random.standard_normal((2, 10_000)).astype(np.float32)
    whole = 10 * np.log10(np.sum(truth**2) / np.sum((truth - guess) ** 2))
    cut = sdr(np.split(truth, [1, 777, 5000], axis=1), np.split(guess, [3000, 3001, 9999], axis=1))
    assert cut == pytest.approx(whole, abs=1e-3)
    assert cut == pytest.approx(20, abs=0.2)


def test_a_missing_end_counts_as_silence() -> None:
    truth = np.ones((1, 100), np.float32)
    assert sdr([truth], [truth[:, :90]]) == pytest.approx(10.0)
    assert sdr([truth[:, :90]], [truth]) == pytest.approx(10 * math.log10(9))


def test_perfection_and_silence() -> None:
    truth = np.ones((1, 10), np.float32)
    assert sdr([truth], [truth]) == math.inf
    assert math.isnan(sdr([0 * truth], [truth]))
