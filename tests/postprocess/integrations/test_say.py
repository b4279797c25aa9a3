import json
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
from websockets.sync.server import ServerConnection, serve

from config.units import SAMPLE_RATE
from dataset.audio import read_audio, to_int16
from postprocess.integrations.obs import say
from tests.helpers import DEMO
from tests.receivers import free_port


def test_a_server_hears_a_header_the_sound_and_its_end(run_main: Callable[..., None]) -> None:
    heard: list[str | bytes] = []

    def hear(connection: ServerConnection) -> None:
        heard.extend(connection)

    with serve(hear, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        run_main(say, "--wav_path", DEMO / "hello.flac", "--to", f"ws://127.0.0.1:{port}")
        server.shutdown()
    header, *sound, end = heard
    assert json.loads(header) == {"rate": SAMPLE_RATE, "channels": 1}
    assert json.loads(end) == {"end": True}
    told = np.frombuffer(b"".join(map(bytes, sound)), "<i2")  # type: ignore[arg-type]
    np.testing.assert_array_equal(told, to_int16(read_audio(DEMO / "hello.flac")))


def test_nobody_there_is_one_line(refusal: Callable[..., str], tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{free_port()}"
    message = refusal(say, "--wav_path", DEMO / "hello.flac", "--to", url)
    assert message.startswith(f"{url}: ")
    assert message.endswith("; does scripts/stream.py --serve run there?")
