"""How a track is heard: what a mixer, a transport and a person's loops are set to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from sfwidgets.models.analysis import Span
from sfwidgets.models.base import Value, one_line

MIXTURE = "mixture"
"""The lane that is not a stem: the track as it was added."""

Volume = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
"""A linear gain; 1 leaves the level alone."""
LaneName = Annotated[str, Field(min_length=1, max_length=64)]


class Lane(Value):
    """What one lane of the mixer is set to."""

    volume: Volume = 1.0
    pan: Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] = 0.0
    """-1 only the left side, 0 as it is, 1 only the right side."""
    muted: bool = False
    soloed: bool = False
    """Where any lane is soloed, only soloed ones are heard; a muted one never is."""


class Loop(Span):
    """A stretch of a track that is played over and over."""

    label: Annotated[str, Field(max_length=200)] = ""

    @field_validator("label")
    @classmethod
    def _one_line(cls, label: str) -> str:
        return one_line(label)

    @model_validator(mode="after")
    def _some_length(self) -> Loop:
        if self.end <= self.start:
            raise ValueError(f"a loop at {self.start:g} s needs an end after its start")
        return self


class Mix(Value):
    """How a track is heard, and what is kept for hearing it again."""

    lanes: Annotated[dict[LaneName, Lane], Field(max_length=64)] = Field(default_factory=dict)
    """By the stem's name; a lane that is not here is as `Lane()`."""
    volume: Volume = 1.0
    """The master's."""
    speed: Annotated[float, Field(ge=0.25, le=2, allow_inf_nan=False)] = 1.0
    """2 is twice as fast; the pitch stays."""
    pitch: Annotated[float, Field(ge=-12, le=12, allow_inf_nan=False)] = 0.0
    """Semitones up; the speed stays."""
    source: Literal["stems", "mixture"] = "stems"
    """Whether the stems are heard, or the track as it was added; then the lanes' settings don't count."""
    click: bool = False
    click_volume: Volume = 0.5
    loop: Loop | None = None
    """The one that plays now."""
    loops: Annotated[list[Loop], Field(max_length=1000)] = Field(default_factory=list)
    """Those that are kept."""
