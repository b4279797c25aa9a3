"""A face that follows a voice as it speaks: sound in, frames out to other tools as the sound is heard.

Sound comes from a file, a microphone or a pipe; curves that are there already, from a csv.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from config.places import LIVE
from config.units import SAMPLE_RATE
from dataset.audio import open_sound
from dataset.face_frame import FaceFrame
from dataset.live_sound import STDIN, check_rate, microphone_blocks, microphone_rate, pcm_blocks, short_blocks
from dataset.recordings.layouts import read_recording
from dataset.stream_resampler import REACH_MS, StreamResampler
from model.lookahead import USUAL_MS
from postprocess.send.live import CurveStream, LiveStream, Piece, replayed, send_at_once, synthesized
from postprocess.send.outputs import SCHEMES, Outputs, files_of, parse_address
from postprocess.send.player import Player, SilentPlayer, open_player
from postprocess.send.sender import SendSettings

if TYPE_CHECKING:
    import numpy as np

EXAMPLES = """
python scripts/stream.py --wav_path a.wav --to livelink://127.0.0.1 --to vmc://127.0.0.1 --to csv:out.csv
python scripts/stream.py --wav_path a.wav --no_pace --to csv:out.csv
python scripts/stream.py --csv take.csv --wav_path take.wav --to vmc://127.0.0.1:39539?names=camel
python scripts/stream.py --mic --to livelink://127.0.0.1:11111 --out_fps 60
python scripts/stream.py --mic --to vmc://127.0.0.1 --config config/post.yml --seed 7
python scripts/stream.py --serve ws://127.0.0.1:8765 --page
ffmpeg -i a.mp3 -f s16le -ar 16000 -ac 1 - | python scripts/stream.py --pcm - --rate 16000 --to ws://127.0.0.1:8765
"""
LOOPBACK = "127.0.0.1"
MOST_BEHIND_S = 0.15  # of a microphone's sound: what waits longer, because the machine was busy, is passed over
MOST_DELAY_MS = 5000.0
USUAL_MIC = ""


def main() -> None:
    given = parse()
    stream, lookahead_ms = (None, 0.0) if given.csv else stream_of(given)
    settings = SendSettings(given.out_fps, given.subject, given.host, lookahead_ms, given.no_pace)
    began = time.monotonic()
    with Outputs(given.to, settings) as outputs:
        count = Count(outputs)
        if given.serve:
            assert stream is not None
            serve(given.serve, stream, settings, page_of(given), count.send)
        elif given.no_pace:
            send_at_once(pieces_of(given, stream), settings.fps, count.send)
        else:
            player = player_of(given)
            LiveStream(pieces_of(given, stream), settings.fps, player).run(count.send, given.audio_delay_ms / 1000)
    took = f"{count.frames:,} frames in {time.monotonic() - began:.1f} s to {', '.join(given.to)}"
    print(took, file=sys.stderr)  # stdout may be one of them


def parse() -> argparse.Namespace:
    width = max(len(kind.form) for kind in SCHEMES.values()) + 2
    places = "\n".join(f"  {kind.form:{width}}{kind.hearer}" for kind in SCHEMES.values())
    options = parser(f"{__doc__}\nplaces that frames go to:\n{places}", EXAMPLES)
    add = options.add_argument
    add("--wav_path", type=Path, help="sound file; with --csv, the sound of those curves")
    add("--mic", nargs="?", const=USUAL_MIC, metavar="DEVICE", help="a microphone: its number, or a part of its name")
    add("--pcm", type=Path, metavar="PATH", help="signed 16-bit little-endian mono; - is stdin")
    add("--serve", metavar="URL", help="WebSocket, ws://127.0.0.1:8765, that agents send PCM to and watchers see it at")
    add("--page", action="store_true", help="with --serve: a page there to see and hear it, alive if no --config")
    add("--csv", type=Path, help="curves of any layout that are sent as they are")
    add("--to", action="append", metavar="URL", default=[], help="where frames go; once for each place, see above")
    add("--config", type=Path, metavar="FILE", help="YAML of post-processing, as config/post.yml, done as frames come")
    add("--seed", type=int, help="of a step that has one, as enliven: another one gives another face")
    add("--rate", type=int, default=SAMPLE_RATE, help="samples a second of --pcm")
    add("--no_pace", action="store_true", help="as fast as it goes, not when the sound is heard")
    add("--out_fps", type=int, choices=(30, 60), default=30, help="frames a second that are sent")
    add("--subject", default="face", metavar="NAME", help="whose face it is, for tools that tell several apart")
    add("--audio_delay_ms", type=float, default=0.0, help="how much later than here the sound is heard: the face waits")
    add("--host", default=LOOPBACK, help="where to listen, for ifacialmocap:// and --serve; 0.0.0.0: to other machines")
    whose = "checkpoint, its folder, or a hub id (user/repo), of config/live.yml, which streams; for a wav any"
    add("--ckpt_path", type=Path, default=LIVE, help=f"{whose}; or an .onnx of one by export_model.py")
    add("--lookahead_ms", type=float, help=f"of sound after a frame that it waits for (default: {USUAL_MS:g})")
    add("--domain", help="recording set to sound like; by default the one that the wav's name belongs to, or the first")
    given = options.parse_args()
    check(given)
    return given


def check(given: argparse.Namespace) -> None:
    """Raises UserError for no source or several, and for options that make no sense."""
    sources = [f"--{name}" for name in ("csv", "mic", "pcm", "serve", "wav_path") if getattr(given, name) is not None]
    if len(sources) != 1 and sources != ["--csv", "--wav_path"]:
        told = f"{' and '.join(sources)}: give only" if sources else "no source: give"
        raise UserError(
            f"{told} one of --wav_path, --mic, --pcm, --serve and --csv (which may have its sound by --wav_path)"
        )
    if given.serve is None and not given.to:
        raise UserError("nowhere to send frames: give --to, once for each place")
    if given.page and given.serve is None:
        raise UserError("--page: is shown by --serve ws://127.0.0.1:8765")
    if given.no_pace and given.serve is not None:
        raise UserError("--no_pace: what agents say to --serve is heard as it goes; leave it out")
    if not 0 <= given.audio_delay_ms <= MOST_DELAY_MS:
        raise UserError(f"--audio_delay_ms {given.audio_delay_ms:g}: must be from 0 to {MOST_DELAY_MS:g}")
    if given.config and given.csv:
        raise UserError("--config: changes what is made of sound; python -m postprocess.chain changes a --csv")
    if given.seed is not None and not (given.config or given.page):
        raise UserError("--seed: is of a step that --config lists, such as enliven")
    for url in given.to:
        parse_address(url)
    pcm = None if given.pcm == STDIN else given.pcm
    read = [given.wav_path, given.csv, pcm, given.ckpt_path, given.config]
    keep_apart(read, [("--to", path) for path in files_of(given.to)])
    if given.host != LOOPBACK:
        print(f"--host {given.host}: other machines may reach what listens here", file=sys.stderr)


def stream_of(given: argparse.Namespace) -> tuple[CurveStream, float]:
    """What tells curves of the sound, and what the steps of --config make of them; and how far ahead, in ms, it is said
    to hear. Imported when there is one."""
    from model.curve_streams import curve_stream

    told = curve_stream(given.ckpt_path, given.domain, given.lookahead_ms, given.wav_path)
    stream = post_processed(told, given) if given.config or given.page else told
    more_ms = stream.lookahead_ms - told.lookahead_ms
    added = f", {more_ms:.0f} ms of it by {given.config or 'an upper face'}" if stream is not told else ""
    if resampling_ms := resampling_ms_of(given):
        added += f", {'up to ' if given.serve else ''}{resampling_ms:.0f} ms of it by bringing the sound to 16 kHz"
    lookahead_ms = stream.lookahead_ms + resampling_ms
    print(f"look-ahead {lookahead_ms:.0f} ms{added}", file=sys.stderr)
    return stream, lookahead_ms


def resampling_ms_of(given: argparse.Namespace) -> float:
    """How much live sound waits until it is at 16 kHz, of an agent's the most that it may: its rate is not known."""
    if given.serve is not None:
        return REACH_MS
    if given.pcm is not None:
        check_rate(given.rate)
        return StreamResampler(given.rate).delay_ms
    return 0.0 if given.mic is None else StreamResampler(microphone_rate(given.mic or None)).delay_ms


def post_processed(told: CurveStream, given: argparse.Namespace) -> CurveStream:
    """What the steps of --config make of it; for a page without them, a living upper face."""
    from postprocess import enliven
    from postprocess.chain import live_steps
    from postprocess.send.post_processed import PostProcessed

    seed = {} if given.seed is None else {"seed": given.seed}
    steps = live_steps(given.config, seed) if given.config else [enliven.prepare(**seed)]
    return PostProcessed(told, steps, given.wav_path.stem if given.wav_path else given.subject)


def page_of(given: argparse.Namespace) -> str | None:
    """The page of --page, as HTML."""
    if not given.page:
        return None
    from postprocess.face.heads import DEFAULT_HEAD, read_head
    from postprocess.viewer.live_page import live_page

    return live_page(read_head(DEFAULT_HEAD), given.subject)


def serve(url: str, stream: CurveStream, settings: SendSettings, page: str | None, send: Callable[..., None]) -> None:
    """Until Ctrl-C; at a WebSocket agents speak and watchers see it, and what is sent goes by the time it is heard."""
    from postprocess.send.live_server import LiveServer

    with LiveServer(url, replace(settings, fps=stream.fps), page) as server:
        live = LiveStream(server.pieces(stream), settings.fps, SilentPlayer())
        server.interrupted = live.interrupt
        print(f"agents speak at {url}" + (f", the face is at http{url[2:]}" if page else ""), file=sys.stderr)
        live.run(send)


class Count:
    """Passes frames on, and counts them."""

    def __init__(self, outputs: Outputs) -> None:
        self._outputs, self.frames = outputs, 0

    def send(self, *due: FaceFrame) -> None:
        """Frames that are due now, in their order."""
        self.frames += len(due)
        self._outputs.send(*due)


def player_of(given: argparse.Namespace) -> Player:
    """What is heard: a microphone is not played back, curves alone have no sound."""
    if given.mic is not None:
        return SilentPlayer(MOST_BEHIND_S)
    return SilentPlayer() if given.wav_path is None and given.pcm is None else open_player()


def pieces_of(given: argparse.Namespace, stream: CurveStream | None) -> Iterator[Piece]:
    """What a command line asks for; read once it is asked for, while the face is at rest. stream: None for curves."""
    if stream is None:
        recording = read_recording(given.csv, required=())
        yield from replayed(recording, sound_of(given) if given.wav_path else ())
    else:
        yield from synthesized(sound_of(given), stream)


def sound_of(given: argparse.Namespace) -> "Iterator[np.ndarray]":
    """(samples,) float32 at 16 kHz a block."""
    if given.mic is not None:
        yield from microphone_blocks(given.mic or None)
    elif given.pcm is not None:
        yield from pcm_blocks(given.pcm, given.rate)
    else:
        with open_sound(given.wav_path) as sound:
            yield from short_blocks(sound.blocks)


if __name__ == "__main__":
    run(main)
