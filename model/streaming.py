"""Curves while the sound is still coming: the same as of the whole file, however it is cut into pieces."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from config.errors import UserError
from config.places import LIVE
from config.units import SAMPLE_RATE, frame_count
from dataset.blendshapes import ARKIT
from dataset.stream_resampler import StreamResampler
from model.causal_model import CausalModel, Voice, load_causal
from model.lookahead import HEARD_STEPS

RATES_HZ = (8_000, 48_000)  # lowest and highest of a live sound
MOST_SAMPLES = 10 * SAMPLE_RATE  # that are heard at a time, so that a long sound in one piece takes no more memory
MOST_FRAMES = 300


class TimedCurves(NamedTuple):
    """A frame of a stream."""

    time_s: float  # of the sound, from its first sample on
    values: np.ndarray  # (52,) float32 in ARKIT's order, not clamped to [0, 1]


class Ear:
    """Log-mel steps of one stream of sound, and which frames can be told from them; its memory does not grow."""

    def __init__(self, model: CausalModel, voice: Voice) -> None:
        self.model, self.delays, self.grid, self.voice = model, model.delays, model.delays.grid, voice
        self.memory = model.memory()
        self.samples = 0  # that were heard, at 16 kHz
        self.frame = -self.delays.ahead  # the next to be told, at first of silence
        self._step = self.frame * self.grid.settings.steps_per_frame + self.delays.heard(voice.delay)[0]  # the next one
        self._steps = np.zeros((0, self.grid.settings.bands), np.float32)  # from the next frame's first on
        self._first = self.grid.start(self._step)  # the sample that _sound begins with: at first silence before it all
        self._sound = np.zeros(-self._first, np.float32)

    def hear(self, sound: np.ndarray) -> None:
        """(samples,) float32 at 16 kHz."""
        self.samples += len(sound)
        self._listen(sound)

    def hear_silence(self, frames: int) -> None:
        """As much silence as it takes to tell frames up to this number."""
        last = (frames - 1) * self.grid.settings.steps_per_frame + self.voice.delay
        lacking = self.grid.start(last) + self.grid.window_size - self._first - len(self._sound)
        self._listen(np.zeros(max(0, lacking), np.float32))

    def _listen(self, sound: np.ndarray) -> None:
        self._sound = np.concatenate([self._sound, sound])
        size, starts = self.grid.window_size, list[int]()
        while (start := self.grid.start(self._step) - self._first) + size <= len(self._sound):
            starts.append(start)
            self._step += 1
        if starts:
            windows = np.stack([self._sound[start : start + size] for start in starts])
            self._steps = np.concatenate([self._steps, self.grid.log_mel(windows)])
            passed = min(start, len(self._sound))
            self._sound, self._first = self._sound[passed:].copy(), self._first + passed

    @property
    def due(self) -> int:
        """How many frames can be told."""
        spare = len(self._steps) - HEARD_STEPS
        return spare // self.grid.settings.steps_per_frame + 1 if spare >= 0 else 0

    def take(self, frames: int) -> np.ndarray:
        """What `frames` frames that are due are told from: (frames, HEARD_STEPS · bands)."""
        per_frame = self.grid.settings.steps_per_frame
        taken = np.stack([self._steps[at : at + HEARD_STEPS] for at in range(0, frames * per_frame, per_frame)])
        self._steps = self._steps[frames * per_frame :].copy()
        self.frame += frames
        return taken.reshape(frames, -1)


class StreamingSynthesizer:
    """One stream of sound, and its curves as soon as they can be told.

    source: a checkpoint trained with model.lookahead_ms, or one that is loaded, which many streams may share. domain:
    the recording set to sound like, by default the first. lookahead_ms: how much sound after a frame it may wait for,
    by default the largest that was trained; all that the model hears is in it. rate: of the sound, in Hz; one other
    than 16 kHz adds the four milliseconds that resampling it takes.
    Raises UserError for a checkpoint that cannot stream, and a domain, a look-ahead or a rate that it does not know.
    """

    def __init__(
        self,
        source: str | Path | CausalModel = LIVE,
        domain: str | None = None,
        lookahead_ms: float | None = None,
        rate: int = SAMPLE_RATE,
    ) -> None:
        if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
            raise UserError(f"{rate} samples a second: a stream has {RATES_HZ[0]} to {RATES_HZ[1]}")
        self.model = source if isinstance(source, CausalModel) else load_causal(source)
        self.voice, self.rate = self.model.voice(domain, lookahead_ms), rate
        self.interrupt()

    @property
    def fps(self) -> float:
        """Frames a second."""
        return self.model.fps

    @property
    def lookahead_ms(self) -> float:
        """How much sound after a frame is heard before it is told."""
        return self.model.delays.heard_ms(self.voice.delay) + self._resampler.delay_ms

    @property
    def moving(self) -> frozenset[str]:
        """The channels that it moves."""
        return self.model.header.stats.select(self.model.channels).moving

    def push(self, samples: np.ndarray) -> list[TimedCurves]:
        """Hear (samples,) float32 in [-1, 1]: the frames that can be told now, none or more, in order.

        Raises UserError for samples that are not finite, of which nothing is heard.
        """
        return push_all([self], [samples])[0]

    def flush(self) -> list[TimedCurves]:
        """The sound has ended: its last frames, silence after it. What is pushed next is another sound, from 0 s on.

        In all there are frame_count of the sound, as of the file, or one more where a look-ahead of less than half a
        frame had it told before it was known that the sound ends there.
        """
        ear = self._ear
        ear.hear(self._resampler.flush())
        frames = frame_count(ear.samples, self.model.fps)
        ear.hear_silence(frames)
        told = _tell([ear])[0]
        self.interrupt()
        return [frame for frame in told if frame.time_s < frames / self.model.fps]

    def interrupt(self) -> None:
        """Forget what was heard; frames that were not told yet never are. What is pushed next is another sound."""
        self._ear, self._resampler = Ear(self.model, self.voice), StreamResampler(self.rate)


def push_all(streams: Sequence[StreamingSynthesizer], blocks: Sequence[np.ndarray]) -> list[list[TimedCurves]]:
    """Push each stream's block, (samples,) of any length, as StreamingSynthesizer.push does, in fewer and larger steps.

    The streams share one model. Raises UserError for samples that are not finite, of which nothing is heard.
    """
    for block in blocks:
        if not np.isfinite(block).all():
            raise UserError("the sound holds NaN or infinite samples; mend what makes it")
    told: list[list[TimedCurves]] = [[] for _ in streams]
    for first in range(0, max(map(len, blocks)), MOST_SAMPLES):
        for stream, block in zip(streams, blocks, strict=True):
            piece = np.asarray(block[first : first + MOST_SAMPLES], np.float32)
            stream._ear.hear(stream._resampler.push(piece))
        for frames, more in zip(told, _tell([stream._ear for stream in streams]), strict=True):
            frames.extend(more)
    return told


def _tell(ears: Sequence[Ear]) -> list[list[TimedCurves]]:
    """The frames of each ear that are due, those of all at a time."""
    told: list[list[TimedCurves]] = [[] for _ in ears]
    while active := [number for number, ear in enumerate(ears) if ear.due]:
        now = [ears[number] for number in active]
        frames = min(MOST_FRAMES, *(ear.due for ear in now))
        firsts = [ear.frame for ear in now]
        steps = np.stack([ear.take(frames) for ear in now])
        model = now[0].model
        curves = np.zeros((len(now), frames, len(ARKIT)), np.float32)
        curves[:, :, model.places] = model.curves(steps, [ear.voice for ear in now], [ear.memory for ear in now])
        for number, first, rows in zip(active, firsts, curves, strict=True):
            told[number] += [TimedCurves(frame / model.fps, row) for frame, row in enumerate(rows, first) if frame >= 0]
    return told


def stream_curves(
    model: CausalModel, blocks: Iterable[np.ndarray], domain: str | None, lookahead_ms: float | None
) -> np.ndarray:
    """(frames, 52) float32 of a whole sound, blocks (samples,) at 16 kHz, as a stream of it gives them."""
    stream = StreamingSynthesizer(model, domain, lookahead_ms)
    told = [frame.values for block in blocks for frame in stream.push(block)]
    told += [frame.values for frame in stream.flush()]
    return np.stack(told) if told else np.zeros((0, len(ARKIT)), np.float32)
