"""Pictures of tracks and of what was measured of them, with matplotlib; none touches pyplot's global state.

Every function returns a `Picture`, which shows itself in a notebook and is written by `savefig`. `theme` is "light" or
"dark"; `width` and `height` are inches. What was not found is said in the picture, not drawn empty.
"""

from sfwidgets.analysis.plot.figure import Picture
from sfwidgets.analysis.plot.pictures import (
    STEM_COLOURS,
    beats,
    chroma,
    loudness,
    overview,
    spectrogram,
    stems,
    structure,
    waveform,
)

__all__ = [
    "STEM_COLOURS",
    "Picture",
    "beats",
    "chroma",
    "loudness",
    "overview",
    "spectrogram",
    "stems",
    "structure",
    "waveform",
]
