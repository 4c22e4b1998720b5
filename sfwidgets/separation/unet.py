"""The U-Net that tells one instrument's share of a magnitude spectrogram, and how its weights are read.

The network is the one of Hennequin, Khlif, Voituret and Moussallam, "Spleeter: a fast and efficient music source
separation tool with pre-trained models", JOSS 5(50), 2020, after Jansson et al., ISMIR 2017.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pad, relu

_ENCODER = (2, 16, 32, 64, 128, 256, 512)
_DECODER = (256, 128, 64, 32, 16, 1)


class UNet(nn.Module):
    """Six strided convolutions down, six up with skips, and a sigmoid mask at full resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(i, o, 5, stride=2) for i, o in pairwise(_ENCODER))
        self.down_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in _ENCODER[1:])
        # From its second layer on, the decoder also sees the encoder's output of the same size.
        inputs = (_ENCODER[-1], *(2 * width for width in _DECODER[:-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 5, stride=2) for i, o in zip(inputs, _DECODER, strict=True))
        self.up_norm = nn.ModuleList(nn.BatchNorm2d(width, eps=1e-3) for width in _DECODER)
        self.mask = nn.Conv2d(1, 2, 4, dilation=2, padding=3)

    def forward(self, magnitude: Tensor) -> Tensor:
        """Return the mask, 0 to 1, of a stereo magnitude spectrogram.

        Both have the shape (batch, 2, frames, bins), with frames and bins multiples of 64.
        """
        x = magnitude
        skips = []
        for convolve, norm in zip(self.down, self.down_norm, strict=True):
            # TensorFlow's "same" padding of a kernel of 5 and a stride of 2: one before, two after.
            x = convolve(pad(x, (1, 2, 1, 2)))
            skips.append(x)
            x = leaky_relu(norm(x), 0.2)
        x = skips.pop()
        for convolve, norm in zip(self.up, self.up_norm, strict=True):
            x = norm(relu(convolve(x)[:, :, 1:-2, 1:-2]))
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return torch.sigmoid(self.mask(x))


def load_unet(checkpoint: Path) -> UNet:
    """Return the network with the weights of a checkpoint: a pickled dict of float32 arrays.

    Nothing but arrays is unpickled. Raises what `torch.load` and `load_state_dict` raise.
    """
    # The checkpoint was written by NumPy 1, which had the function that rebuilds an array under another name.
    rebuild: Any = np.empty(0).__reduce__()[0]
    allowed: list[Any] = [np.ndarray, np.dtype, np.dtypes.Float32DType]
    with torch.serialization.safe_globals([(rebuild, "numpy.core.multiarray._reconstruct"), *allowed]):
        arrays = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state = {_parameter(name): torch.from_numpy(array) for name, array in arrays.items()}
    network = UNet()
    # How many batches a norm saw in training is not in the checkpoint, and of no use here.
    state |= {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
    network.load_state_dict(state)
    return network.eval()


def _parameter(name: str) -> str:
    """Return our name of a parameter that the checkpoint calls `down1_conv.1.weight`, `up6.3.bias`, `up7.0.weight`."""
    match = re.fullmatch(r"(down|up)(\d)(_act)?(?:_conv)?\.(\d)\.(\w+)", name)
    if match is None:
        raise ValueError(f"unknown parameter {name!r}")
    side, layer, activation, place, leaf = match.groups()
    if (side, layer) == ("up", "7"):
        return f"mask.{leaf}"
    norm = "_norm" if activation or (side, place) == ("up", "3") else ""
    return f"{side}{norm}.{int(layer) - 1}.{leaf}"
