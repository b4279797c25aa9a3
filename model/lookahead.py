"""How much sound after a frame a streaming decoder waits for, in steps of its features' grid.

A frame's curves are told once the steps up to its own and `delay` more have been heard; a step is heard to the end of
its window. So half a window, which a step hears after its time, is part of the look-ahead.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from config.errors import UserError
from config.schema import Config
from config.units import SAMPLE_RATE
from model.mel import StepGrid

USUAL_MS = 100.0  # of a live show; what it costs and gains: result/live/README.md
HEARD_STEPS = 6  # the newest ones, that the first layer sees at once; the causal convolutions see further back


@dataclass(frozen=True)
class Delays:
    """The delays that a decoder is trained for, and the frames around each whose features it needs for them."""

    grid: StepGrid
    lookahead_ms: tuple[float, float]  # least and most

    @cached_property
    def lowest(self) -> int:
        """Steps; below 0 where a step at a frame's own time hears too much of what comes after."""
        return self._within(self.lookahead_ms[0])

    @cached_property
    def highest(self) -> int:
        return self._within(self.lookahead_ms[1])

    @cached_property
    def count(self) -> int:
        return self.highest - self.lowest + 1

    @cached_property
    def ahead(self) -> int:
        """Frames by which the newest step may lead; so many are run before the first, so that it has heard its own."""
        return self._frames(self.highest)

    @cached_property
    def margin(self) -> tuple[int, int]:
        """Frames before and after a run of frames whose features its curves are told from."""
        return self.ahead + self._frames(HEARD_STEPS - 1 - self.lowest), self.ahead

    @cached_property
    def frames(self) -> int:
        """Frames whose steps the first layer sees for a frame, at one delay or another: before, its own and after."""
        return sum(self.margin) + 1 - self.ahead

    @cached_property
    def first_step(self) -> int:
        """The first of their steps, counted from the frame's own."""
        before = self.margin[0] - self.ahead
        return -before * self.grid.settings.steps_per_frame - self.grid.settings.context_steps

    def heard(self, delay: int) -> range:
        """The steps, counted from a frame's own, that the first layer sees at a delay."""
        return range(delay - HEARD_STEPS + 1, delay + 1)

    def at(self, lookahead_ms: float | None) -> int:
        """The delay in steps that a look-ahead allows; None: the highest. Raises UserError for one not trained for."""
        if lookahead_ms is None:
            return self.highest
        least, most = self.lookahead_ms
        if not least <= lookahead_ms <= most:
            raise UserError(f"--lookahead_ms {lookahead_ms:g}: the checkpoint is trained for {least:g} to {most:g}")
        return self._within(lookahead_ms)

    @property
    def usual_ms(self) -> float:
        """USUAL_MS, or what is nearest to it among the look-aheads trained for."""
        least, most = self.lookahead_ms
        return min(max(USUAL_MS, least), most)

    def heard_ms(self, delay: int) -> float:
        """How much sound after a frame is heard before it is told at this delay in steps."""
        half_window = self.grid.window_size - self.grid.window_size // 2
        return float((delay * self.grid.spacing + half_window) * 1000 / SAMPLE_RATE)

    def _frames(self, steps: int) -> int:
        """How many frames to one side hold so many steps, beside the frame's own."""
        settings = self.grid.settings
        return max(0, math.ceil((steps - settings.context_steps) / settings.steps_per_frame))

    def _within(self, lookahead_ms: float) -> int:
        """The last step whose window ends within this time after the frame's, however its centre is rounded."""
        half_window = self.grid.window_size - self.grid.window_size // 2 + Fraction(1, 2)
        return math.floor((Fraction(lookahead_ms) * SAMPLE_RATE / 1000 - half_window) / self.grid.spacing)


def check_no_lookahead(lookahead_ms: float | None) -> None:
    """Raises UserError where one is asked of a checkpoint that hears whole windows."""
    if lookahead_ms is not None:
        raise UserError(f"--lookahead_ms {lookahead_ms:g}: the checkpoint hears whole windows; leave it out")


def delays_of(config: Config, fps: float) -> Delays | None:
    """The delays that a config trains for, for motion at fps; None: its decoder hears whole windows."""
    if config.model.lookahead_ms is None:
        return None
    return Delays(StepGrid(fps, config.features.logmel), config.model.lookahead_ms)
