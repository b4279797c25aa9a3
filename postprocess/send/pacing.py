"""Frames when their sound is heard: which face to show at a moment, and the loop that sends it then.

The clock is the sound's: how far it has been heard. Frames stand at even times of the stream, so that what is sent is
the same whatever the moments at which it could be sent. Where sound or frames stay away, the face is held and eases to
rest; it is back with the first frame that comes.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from dataset.face_frame import FaceFrame, mixed, neutral_frame
from postprocess.send.player import Player

LATE_FRAMES = 1.5  # frames' time without a frame, after which the face is held
HELD_S, AT_REST_S = 0.05, 0.16  # after the last frame's time: begins to ease, is at rest (200 ms, less a frame at 30)
INTERRUPTED_S = 0.06  # in which an interrupted face eases (100 ms, less a frame)
SOON_S = 0.0002  # a frame is due already: no sleep is so exact
SAME_S = 1e-6  # frames' times are equal


class Pacer:
    """Turns frames of any even or uneven times into those of an even clock, when they are due.

    fps: frames a second that are asked for. Frames are pushed by one thread and taken by another.
    """

    def __init__(self, fps: float) -> None:
        self._fps = fps
        self._frames: deque[FaceFrame] = deque()  # the one before the next that is due, and all after
        self._ends_s: float | None = None  # until when the last frame is held, once that is known
        self._next = 0  # number on the even clock
        self._lock = threading.Lock()
        self._shown = self._eased_from = neutral_frame()
        self._shown_at: float | None = None  # on the caller's clock, as are these
        self._easing: tuple[float, float] | None = None  # from, to; None: a frame was shown last
        self._is_at_rest = False
        self._period_s = 1 / fps  # of the pushed frames

    def push(self, frames: Sequence[FaceFrame]) -> None:
        """Frames with later times than those before; one that is not finite is passed over."""
        with self._lock:
            for frame in frames:
                if frame.is_finite:
                    if self._frames:
                        self._period_s = frame.time_s - self._frames[-1].time_s
                    self._frames.append(frame)

    def finish(self, ends_s: float | None = None) -> None:
        """No more frames come; the last is held until then, or as long as the one before was."""
        with self._lock:
            last_s = self._frames[-1].time_s + self._period_s if self._frames else 0.0
            self._ends_s = last_s if ends_s is None else max(ends_s, last_s)

    def interrupt(self, now_s: float) -> None:
        """Forget the frames that have not been sent, and ease to rest at once."""
        with self._lock:
            self._frames.clear()
            self._eased_from, self._easing = self._shown, (now_s, now_s + INTERRUPTED_S)

    @property
    def ahead_s(self) -> float:
        """How much of the stream has frames that were not sent."""
        with self._lock:
            return self._frames[-1].time_s - self._next / self._fps if self._frames else 0.0

    def is_done(self, position_s: float) -> bool:
        """Whether no frame will come or is due there, and a face at rest was shown."""
        with self._lock:
            return self._ends_s is not None and self._is_at_rest and self._due(position_s) < self._next

    def step(self, now_s: float, position_s: float) -> list[FaceFrame]:
        """The frames to show now: none, one, or several where this was asked too late.

        now_s: on a clock that never stops. position_s: how much of the stream has been heard. A frame of the stream
        has its time there; a face that is held, or eases, has that of the last one.
        """
        with self._lock:
            due = self._due(position_s)
            if due >= self._next:
                return [self._show(number, now_s) for number in range(self._next, due + 1)]
            if self._shown_at is not None and now_s + SOON_S < self._shown_at + self._patience_s():
                return []
            return [self._eased(now_s)]

    def wait_s(self, now_s: float, position_s: float) -> float:
        """How long nothing is due."""
        frame_s = self._next / self._fps - position_s
        ease_s = (now_s if self._shown_at is None else self._shown_at + self._patience_s()) - now_s
        return min(ease_s, frame_s) if frame_s > 0 else min(ease_s, 0.25 / self._fps)  # frames are late: look often

    def rest_of(self) -> Iterator[FaceFrame]:
        """Every frame that is there and was not taken, whatever the time."""
        while self._next <= self._last():
            yield self._show(self._next, 0.0)

    def _patience_s(self) -> float:
        return (LATE_FRAMES if self._easing is None else 1.0) / self._fps

    def _due(self, position_s: float) -> int:
        return min(math.floor((position_s + SOON_S) * self._fps), self._last())

    def _last(self) -> int:
        """The number of the last frame on the even clock that can be told."""
        if not self._frames:
            return -1
        if self._ends_s is None:
            return math.floor((self._frames[-1].time_s + SAME_S) * self._fps)
        return math.ceil((self._ends_s - SAME_S) * self._fps) - 1

    def _show(self, number: int, now_s: float) -> FaceFrame:
        self._next, self._shown_at, self._easing, self._is_at_rest = number + 1, now_s, None, False
        self._shown = self._at(number / self._fps)
        return self._shown

    def _at(self, time_s: float) -> FaceFrame:
        """Between the frames around; frames before them are forgotten."""
        while len(self._frames) > 1 and self._frames[1].time_s <= time_s + SAME_S:
            self._frames.popleft()
        before = self._frames[0]
        if len(self._frames) == 1 or before.time_s >= time_s - SAME_S:
            return replace(before, time_s=time_s)
        after = self._frames[1]
        return mixed(before, after, (time_s - before.time_s) / (after.time_s - before.time_s), time_s)

    def _eased(self, now_s: float) -> FaceFrame:
        if self._easing is None:
            due_s = now_s if self._shown_at is None else self._shown_at + 1 / self._fps
            self._eased_from, self._easing = self._shown, (due_s + HELD_S, due_s + AT_REST_S)
        begins, ends = self._easing
        way = min(max((now_s - begins) / (ends - begins), 0.0), 1.0)
        self._shown_at, self._is_at_rest = now_s, way == 1
        smooth = way * way * (3 - 2 * way)
        self._shown = mixed(self._eased_from, neutral_frame(), smooth, self._eased_from.time_s, is_held=True)
        return self._shown


def pace(
    pacer: Pacer,
    player: Player,
    send: Callable[..., None],
    delay_s: float = 0.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Send each frame when its sound is heard, until the sound has ended and the face is at rest.

    send: takes the frames that are due, one or several.

    delay_s: how much later than the player tells, as through wireless headphones, the sound is heard.
    """
    waiting: deque[tuple[float, list[FaceFrame]]] = deque()
    has_ended = False
    while waiting or not has_ended:
        now_s, position_s = clock(), player.position_s()
        has_ended = has_ended or (player.left_s() <= 0 and pacer.is_done(position_s))
        frames = [] if has_ended else pacer.step(now_s, position_s)
        if frames:
            waiting.append((now_s + delay_s, frames))
        while waiting and waiting[0][0] <= now_s + SOON_S:
            send(*waiting.popleft()[1])
        wait_s = pacer.wait_s(now_s, position_s)
        if waiting:
            wait_s = min(wait_s, waiting[0][0] - now_s)
        sleep(max(wait_s - (clock() - now_s), 0.0))
