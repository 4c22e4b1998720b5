"""A mix as audio: gains and sums, speed and pitch, and a file of what is heard, as streams of blocks."""

from sfwidgets.mixing.gains import Gains, gains
from sfwidgets.mixing.output import Output, format_of
from sfwidgets.mixing.render import render
from sfwidgets.mixing.stretch import stretch
from sfwidgets.mixing.sum import mixed

__all__ = ["Gains", "Output", "format_of", "gains", "mixed", "render", "stretch"]
