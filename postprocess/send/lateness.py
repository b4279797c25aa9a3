"""How much later than its sound is heard a frame's packet leaves."""

import socket
from collections.abc import Iterator

import numpy as np

from config.units import SAMPLE_RATE
from dataset.blendshapes import ARKIT
from dataset.face_frame import FaceFrame, face_frame
from postprocess.send.live import LiveStream, Piece
from postprocess.send.outputs import Outputs
from postprocess.send.player import SilentPlayer
from postprocess.send.sender import SendSettings

FORM = "livelink://127.0.0.1:{}"


def packet_delays_ms(seconds: float, fps: float = 60.0) -> np.ndarray:
    """(frames,) from a frame's time to when its packet is handed to the system, to one that takes none of them."""
    player, late_s = SilentPlayer(), list[float]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        outputs = Outputs([FORM.format(deaf.getsockname()[1])], SendSettings(fps))

        def send(*due: FaceFrame) -> None:
            outputs.send(*due)
            now_s = player.position_s()
            late_s.extend(now_s - frame.time_s for frame in due if not frame.is_held)

        with outputs:
            LiveStream(_pieces(seconds, fps), fps, player).run(send)
    return 1000 * np.array(late_s)


def _pieces(seconds: float, fps: float) -> Iterator[Piece]:
    for second in range(round(seconds)):
        times = second + np.arange(round(fps)) / fps
        yield Piece([face_frame(time_s, np.zeros(len(ARKIT))) for time_s in times], np.zeros(SAMPLE_RATE, np.float32))
