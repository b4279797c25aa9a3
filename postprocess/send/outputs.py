"""Where live frames go, each place by a URL: who hears there, and what speaks to it."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from config.errors import UserError
from config.suggest import nearest
from dataset.face_frame import FaceFrame
from postprocess.send import ifacialmocap, vmc
from postprocess.send.csv_file import CsvFile
from postprocess.send.ifacialmocap import IFacialMocapPhone, IFacialMocapPush, ifacialmocap_tcp
from postprocess.send.json_frames import json_lines
from postprocess.send.livelink import LiveLink
from postprocess.send.sender import Address, Sender, SendSettings
from postprocess.send.vmc import Vmc
from postprocess.send.vtubestudio import vtube_studio
from postprocess.send.web_link import web_socket


@dataclass(frozen=True)
class Scheme:
    """A kind of receiver."""

    form: str  # of its URL
    hearer: str  # who hears, in words
    make: Callable[[Address, SendSettings], Sender]
    port: int | None = None  # by default; None: it is a file
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)  # what each may be, the default first
    listen: Callable[[Address, SendSettings], Sender] | None = None  # instead, where the URL names no host


SCHEMES: dict[str, Scheme] = {
    "livelink": Scheme("livelink://HOST[:11111]", "Unreal's ARKit source, as Live Link Face", LiveLink, 11111),
    "vmc": Scheme(
        "vmc://HOST[:39539][?names=pascal|camel|vrm0]", "VSeeFace, VNyan, Warudo", Vmc, 39539, {"names": vmc.NAMES}
    ),
    "ifacialmocap": Scheme(
        "ifacialmocap://[HOST[:49983][?v=1|2]]", "iFacialMocap's hearers; without a host, whoever asks",
        IFacialMocapPush, ifacialmocap.PORT, {"v": tuple(ifacialmocap.SEPARATORS)}, IFacialMocapPhone,
    ),
    "ifacialmocap+tcp": Scheme(
        "ifacialmocap+tcp://HOST[:49986][?v=1|2]", "the same over TCP",
        ifacialmocap_tcp, ifacialmocap.TCP_PORT, {"v": tuple(ifacialmocap.SEPARATORS)},
    ),
    "vtubestudio": Scheme("vtubestudio://HOST[:8001]", "VTube Studio, as a plugin", vtube_studio, 8001),
    "ws": Scheme("ws://HOST[:80][/PATH]", "a WebSocket server: a JSON message a frame", web_socket, 80),
    "csv": Scheme("csv:FILE", "this project", CsvFile),
    "jsonl": Scheme("jsonl:FILE", "a JSON line a frame; - is stdout", json_lines),
}  # fmt: skip


def parse_address(url: str) -> Address:
    """Raises UserError, with the schemes, for what is no address of one of them."""
    scheme, colon, rest = url.partition(":")
    kind = SCHEMES.get(scheme.lower())
    if kind is None or not colon:
        forms = ", ".join(known.form for known in SCHEMES.values())
        raise UserError(f"--to {url}: no place that frames go to{nearest(scheme, tuple(SCHEMES))}; one of {forms}")
    if kind.port is None:
        if not rest:
            raise UserError(f"--to {url}: names no file; {kind.form}")
        return Address(url, path=rest)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", kind.port if parts.port is None else parts.port
    except ValueError:
        host, port = "", 0
    if not rest.startswith("//") or not port or (not host and (kind.listen is None or rest != "//")):
        raise UserError(f"--to {url}: not understood; {kind.form}")
    return Address(url, host, port, _options(url, kind, parts.query))


def _options(url: str, kind: Scheme, query: str) -> dict[str, str]:
    """Every option of a kind. Raises UserError for one that it does not have."""
    told = dict(parse_qsl(query, keep_blank_values=True)) if kind.make is not web_socket else {}
    for name, value in told.items():
        if value not in kind.options.get(name, ()):
            raise UserError(f"--to {url}: {name}={value} is not understood; {kind.form}")
    return {name: told.get(name, values[0]) for name, values in kind.options.items()}


def files_of(urls: Sequence[str]) -> list[Path]:
    """The files among the places. Raises UserError as parse_address does."""
    return [Path(path) for url in urls if (path := parse_address(url).path) not in ("", "-")]


class Outputs:
    """Several receivers at once, closed together at the end of a with block.

    Raises UserError for a URL that is none, is there twice, or whose receiver cannot be sent to at all.
    """

    def __init__(self, urls: Sequence[str], settings: SendSettings) -> None:
        doubled = [url for index, url in enumerate(urls) if url in urls[:index]]
        if doubled:
            raise UserError(f"--to {doubled[0]}: is there twice; give each place once")
        self._senders: list[Sender] = []
        with ExitStack() as opened:  # where one fails, those before it are closed
            for address in map(parse_address, urls):
                kind = SCHEMES[address.url.partition(":")[0].lower()]
                make = kind.listen if kind.listen and not address.host else kind.make
                self._senders.append(make(address, settings))
                opened.callback(self._senders[-1].close)
            self._opened = opened.pop_all()

    def __len__(self) -> int:
        return len(self._senders)

    def send(self, *due: FaceFrame) -> None:
        """Frames that are due now, in their order; who only shows a face is sent the last one."""
        for sender in self._senders:
            for frame in due if sender.keeps_all else due[-1:]:
                sender.send(frame)

    def __enter__(self) -> "Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()
