"""An agent in its shortest form: it says a sound file, or what a microphone hears, to the page of stream.py --serve.

Whatever speaks WebSocket can be one: a header, the sound, and that it has ended.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
import numpy as np

from config.command import parser, run
from config.errors import UserError
from config.units import SAMPLE_RATE

EXAMPLES = """
python postprocess/integrations/obs/say.py --wav_path a.wav
python postprocess/integrations/obs/say.py --mic --to ws://127.0.0.1:8765
"""


def main() -> None:
    given = parse()
    from dataset.audio import open_sound
    from dataset.live_sound import microphone_blocks

    if given.wav_path is None:
        say(given.to, microphone_blocks(given.mic or None))
    else:
        with open_sound(given.wav_path) as sound:
            say(given.to, sound.blocks)


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--wav_path", type=Path, help="sound file")
    source.add_argument("--mic", nargs="?", const="", metavar="DEVICE", help="its number, or a part of its name")
    options.add_argument("--to", default="ws://127.0.0.1:8765", metavar="URL", help="where stream.py serves")
    return options.parse_args()


def say(url: str, blocks: Iterable[np.ndarray]) -> None:
    """Send (samples,) float32 blocks at 16 kHz as they come; raises UserError where nobody listens."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import connect

    from dataset.audio import to_int16
    from dataset.live_sound import short_blocks

    try:
        with connect(url) as server:
            server.send(json.dumps({"rate": SAMPLE_RATE, "channels": 1}))
            for block in short_blocks(iter(blocks)):
                server.send(to_int16(block).astype("<i2").tobytes())
            server.send(json.dumps({"end": True}))
    except (OSError, WebSocketException) as error:
        raise UserError(f"{url}: {error}; does scripts/stream.py --serve run there?") from error


if __name__ == "__main__":
    run(main)
