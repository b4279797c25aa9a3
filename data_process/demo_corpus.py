"""Make the demo corpus: sentences spoken by espeak-ng, with word times and rule-based curves. Nothing is captured."""

import ctypes
import ctypes.util
import multiprocessing
import re
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import numpy as np
import soxr
from tqdm import tqdm

from config.command import parser, renamed, run
from config.errors import UserError
from config.files import written_whole
from config.units import SAMPLE_RATE
from data_process.rule_curves import DECIMALS, blink_seed, sounding
from data_process.stages import check_out_fps
from dataset.blendshapes import write_curves
from dataset.corpus import Corpus
from dataset.recordings.timing import USUAL_FPS
from dataset.transcript import Word
from dataset.viseme_animator import Phone, animate

LIBRARIES = (
    "libespeak-ng.so.1", "libespeak-ng.dylib", "/opt/homebrew/lib/libespeak-ng.dylib", "libespeak-ng.dll",
    "C:/Program Files/eSpeak NG/libespeak-ng.dll",
)  # fmt: skip
INSTALL = "install it: apt install espeak-ng, or brew install espeak-ng, or winget install eSpeak-NG.eSpeak-NG"
LEAD_S, TAIL_S = 0.2, 0.3  # silence before and after the speech
GRAIN_S = 0.1  # clips last a multiple of this, so that whole frames fill them at 10, 20, 30, 50 and 60 fps
PEAK = 0.4  # of the sound, full scale being 1


class Speaker(NamedTuple):
    """How a voice of espeak-ng speaks."""

    voice: str  # of espeak-ng; what follows + is a variant
    pitch: int  # 0 to 100
    words_per_minute: int


@dataclass(frozen=True)
class Sentence:
    """A sentence to speak. spoken: what espeak-ng reads, one word a token of the text."""

    id: str
    text: str
    spoken: str
    speaker: Speaker

    @property
    def tokens(self) -> list[str]:
        """The text's tokens without punctuation: characters of Mandarin, words of English."""
        return re.findall(r"[一-鿿]|[A-Za-z']+", self.text)


# espeak-ng's pinyin voice reads its tone numbers; the voice that reads hanzi is unreliable in espeak-ng 1.51.
MANDARIN_SPEAKERS = (
    Speaker("cmn-latn-pinyin", 45, 165),
    Speaker("cmn-latn-pinyin+f2", 55, 175),
    Speaker("cmn-latn-pinyin+m3", 38, 155),
)
ENGLISH_SPEAKERS = (Speaker("en-us", 45, 150), Speaker("en-gb-x-rp+f3", 55, 150), Speaker("en-us+m7", 40, 160))

MANDARIN = """
爸爸买了八包白面包，妹妹不怕胖。|ba4 ba5 mai3 le5 ba1 bao1 bai2 mian4 bao1, mei4 mei5 bu2 pa4 pang4.
我们明天坐火车去北京看朋友。|wo3 men5 ming2 tian1 zuo4 huo3 che1 qu4 bei3 jing1 kan4 peng2 you3.
他喝了一杯热豆浆，吃了两个包子。|ta1 he1 le5 yi4 bei1 re4 dou4 jiang1, chi1 le5 liang3 ge4 bao1 zi5.
绿色的小鱼在湖里游来游去。|lv4 se4 de5 xiao3 yu2 zai4 hu2 li3 you2 lai2 you2 qu4.
妈妈把葡萄和苹果放在木盆里。|ma1 ma5 ba3 pu2 tao2 he2 ping2 guo3 fang4 zai4 mu4 pen2 li3.
风很大，孩子们飞快地跑回屋子。|feng1 hen3 da4, hai2 zi5 men5 fei1 kuai4 de5 pao3 hui2 wu1 zi5.
请问附近有没有卖蔬菜和水果的店？|qing3 wen4 fu4 jin4 you3 mei2 you3 mai4 shu1 cai4 he2 shui3 guo3 de5 dian4?
昨天晚上下了一场大雨，路上都是水。|zuo2 tian1 wan3 shang5 xia4 le5 yi4 chang2 da4 yu3, lu4 shang5 dou1 shi4 shui3.
老师说话慢慢的，我们都听得明白。|lao3 shi1 shuo1 hua4 man4 man4 de5, wo3 men5 dou1 ting1 de5 ming2 bai5.
周末我想和父母一起去爬山拍照。|zhou1 mo4 wo3 xiang3 he2 fu4 mu3 yi4 qi3 qu4 pa2 shan1 pai1 zhao4.
这本书很有意思，我看了三遍也不够。|zhe4 ben3 shu1 hen3 you3 yi4 si5, wo3 kan4 le5 san1 bian4 ye3 bu2 gou4.
女孩穿着紫裙子，在月光下跳舞。|nv3 hai2 chuan1 zhe5 zi3 qun2 zi5, zai4 yue4 guang1 xia4 tiao4 wu3.
出门别忘了带雨伞，天气预报说会下雨。|chu1 men2 bie2 wang4 le5 dai4 yu3 san3, tian1 qi4 yu4 bao4 shuo1 hui4 xia4 yu3.
冰箱里还有半瓶牛奶和一碗米饭。|bing1 xiang1 li3 hai2 you3 ban4 ping2 niu2 nai3 he2 yi4 wan3 mi3 fan4.
"""
ENGLISH = """
Please put five blue bowls by the window before Bob comes home.
My mother bought a bag of brown bread and a pound of plums.
The old boat moved slowly over the smooth open water.
Peter and Mary have a farm full of sheep and fluffy puppies.
We found a few very fine leaves under the apple tree.
Could you show me the way to the museum, please?
I would love a cup of coffee with milk and two spoons of sugar.
The phone rang twelve times, but nobody was home to pick it up.
She wore a yellow raincoat because the weather looked awful.
Both brothers play football near our park every Friday evening.
Who knows how many moons move around that huge planet?
Keep the paper, open the envelope, and put the stamp on top.
Those three students finished all of their homework before supper.
Warm bubbles popped on blue water while people waved from above.
"""
HELLO = Sentence(
    "hello",
    "你好，很高兴认识你。我会说话，也会微笑，请你看看我的嘴巴怎么动。",
    "ni3 hao3, hen3 gao1 xing4 ren4 shi5 ni3. wo3 hui4 shuo1 hua4, ye3 hui4 wei1 xiao4, "
    "qing3 ni3 kan4 kan5 wo3 de5 zui3 ba5 zen3 me5 dong4.",
    MANDARIN_SPEAKERS[1],
)


def lines() -> list[Sentence]:
    """The corpus's sentences; the speakers take turns."""
    mandarin = [line.split("|") for line in MANDARIN.split("\n") if line]
    english = [(line, line) for line in ENGLISH.split("\n") if line]
    return [
        Sentence(f"{domain}_{number:03d}", text, spoken, speakers[number % len(speakers)])
        for domain, speakers, pairs in (("en", ENGLISH_SPEAKERS, english), ("zh", MANDARIN_SPEAKERS, mandarin))
        for number, (text, spoken) in enumerate(pairs, 1)
    ]


class Event(NamedTuple):
    """Something that starts in the speech: a word of the text, or a phone ("" is silence)."""

    sample: int
    phone: str | None  # None: a word


@dataclass(frozen=True)
class Spoken:
    """What espeak-ng said: samples (n,) int16 at its own rate, and what starts where in them."""

    samples: np.ndarray
    rate: int
    events: list[Event]
    version: str


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("text", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of espeak-ng's speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("message", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("name", _Name),
    )


# Values of speak_lib.h's enumerations.
_SYNCHRONOUS, _PHONEME_EVENTS, _IPA, _DONT_EXIT = 2, 0x0001, 0x0002, 0x8000
_RATE, _PITCH, _UTF8 = 1, 3, 1
_END_OF_EVENTS, _WORD, _PHONEME = 0, 1, 7
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


def load_library() -> ctypes.CDLL:
    """espeak-ng's C library. Raises UserError, with how to install it, where there is none."""
    for name in (ctypes.util.find_library("espeak-ng"), *LIBRARIES):
        try:
            if name:
                return ctypes.CDLL(name)
        except OSError:
            continue
    raise UserError(f"espeak-ng: its library is not on this machine; {INSTALL}")


def speak(line: Sentence) -> Spoken:
    """Speak one line. The library's state outlives a sentence: for the same samples each time, use a fresh process."""
    library = load_library()
    library.espeak_Info.restype = ctypes.c_char_p
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _IPA | _DONT_EXIT)
    if rate <= 0:
        raise UserError(f"espeak-ng: its data files were not found; {INSTALL}")
    if library.espeak_SetVoiceByName(line.speaker.voice.encode()) != 0:
        raise UserError(f"espeak-ng: has no voice {line.speaker.voice}; {INSTALL}, version 1.51 or newer")
    library.espeak_SetParameter(_PITCH, line.speaker.pitch, 0)
    library.espeak_SetParameter(_RATE, line.speaker.words_per_minute, 0)
    pieces: list[np.ndarray] = []
    events: list[Event] = []
    callback = _collector(pieces, events)
    library.espeak_SetSynthCallback(callback)
    text = line.spoken.encode()
    library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None)
    version = library.espeak_Info(None).decode().split()[0]
    return Spoken(np.concatenate(pieces), rate, events, version)


def _collector(pieces: list[np.ndarray], events: list[Event]) -> Callable[..., int]:
    """A callback that keeps the sound and the word and phoneme events as espeak-ng hands them over."""

    def collect(samples, count, event) -> int:  # type: ignore[no-untyped-def]  # ctypes pointers
        if samples and count:
            pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while event[index].type != _END_OF_EVENTS:
            now = event[index]
            # At the end of a clause there are word events for no word; they have no phones.
            if now.type == _WORD:
                events.append(Event(now.sample, None))
            elif now.type == _PHONEME:
                events.append(Event(now.sample, now.name.text.decode()))
            index += 1
        return 0

    return _CALLBACK(collect)


# What espeak-ng's pinyin voice calls sounds for which it has no IPA, the longest first.
TO_IPA = {"onɡ": "uŋ", "s.": "ʂ", "i.": "ɨ", "i̪": "ɨ", "o-": "ɤ", "ʲ": "j"}
STOPS = "pbtdkɡʈ"
CLOSURE_S = 0.008, 0.12  # a silence before a burst that is shorter is none, and of a longer one this much is the stop's
QUIET = 0.01  # of the clip's peak: a closure is more silent than this


class Span(NamedTuple):
    """A phone in the speech, in samples."""

    word: int  # its word, counted from 0
    symbol: str  # IPA
    start: int
    end: int


def spans(speech: Spoken) -> list[Span]:
    """The phones of the speech in order, with the closures of the stops; what lies between them is silence.

    espeak-ng starts a stop at its burst, but the closed mouth is what makes the silence before it. So a stop is
    taken to start where the silence does and to end with the burst; the rest of its sound is an affricate's or breath.
    """
    found: list[Span] = []
    shortest, longest = (round(seconds * speech.rate) for seconds in CLOSURE_S)
    for span in _spans_from_burst(speech):
        earliest = max((found[-1].start + found[-1].end) // 2 if found else 0, span.start - longest)
        closed = _closure_start(speech, earliest, span.start)
        if span.symbol[0] not in STOPS or span.start - closed < shortest:
            found.append(span)
            continue
        if found:
            found[-1] = found[-1]._replace(end=min(found[-1].end, closed))
        found.append(Span(span.word, span.symbol[0], closed, span.start))
        found.append(span._replace(symbol=span.symbol[1:] or "h"))
    return found


def _spans_from_burst(speech: Spoken) -> Iterator[Span]:
    """The phones as espeak-ng times them: each lasts until the next event. Words without phones do not count."""
    word, fresh = -1, True
    for event, following in pairwise([*speech.events, Event(len(speech.samples), None)]):
        if event.phone is None:
            fresh = True
        elif event.phone:
            word, fresh = word + fresh, False
            if following.sample > event.sample:
                yield Span(word, _to_ipa(event.phone), event.sample, following.sample)


def _to_ipa(symbol: str) -> str:
    for written, ipa in TO_IPA.items():
        symbol = symbol.replace(written, ipa)
    return symbol


def _closure_start(speech: Spoken, earliest: int, burst: int) -> int:
    """Where the silence begins that ends at the burst."""
    level = np.abs(speech.samples.astype(np.int32))
    loud = np.flatnonzero(level[earliest:burst] > QUIET * level.max())
    return earliest + int(loud[-1]) + 1 if len(loud) else earliest


def phones(speech: Spoken, found: list[Span], lead_s: float) -> list[Phone]:
    """What the animator needs, lead_s later."""
    sounds = [Word(span.symbol, span.start / speech.rate, span.end / speech.rate) for span in found]
    return [
        phone._replace(start_s=lead_s + phone.start_s, end_s=lead_s + phone.end_s)
        for phone in sounding(sounds, speech.samples, speech.rate)
    ]


def words(line: Sentence, found: list[Span], rate: int, lead_s: float) -> list[Word]:
    """The line's tokens with the times of their phones. Raises UserError where espeak-ng ran words together."""
    times: dict[int, tuple[int, int]] = {}
    for span in found:
        start, _ = times.get(span.word, (span.start, 0))
        times[span.word] = start, span.end
    if len(times) != len(line.tokens):
        raise UserError(f"{line.id}: {len(line.tokens)} tokens, but espeak-ng spoke {len(times)} words; reword it")
    pairs = zip(line.tokens, times.values(), strict=True)
    return [Word(token, lead_s + start / rate, lead_s + end / rate) for token, (start, end) in pairs]


class DemoClip(NamedTuple):
    """A line made whole: audio (samples,) int16 at 16 kHz, curves (frames, 52) and word times."""

    line: Sentence
    audio: np.ndarray
    curves: np.ndarray
    words: list[Word]
    version: str  # of espeak-ng


def make_clip(line: Sentence, fps: float) -> DemoClip:
    """Speak a line and animate it; the same line gives the same clip in a fresh process."""
    speech = speak(line)
    found = spans(speech)
    audio = _audio(speech)
    curves = animate(phones(speech, found, LEAD_S), len(audio) / SAMPLE_RATE, fps, blink_seed(line.id))
    return DemoClip(line, audio, curves.round(DECIMALS), words(line, found, speech.rate, LEAD_S), speech.version)


def _audio(speech: Spoken) -> np.ndarray:
    """The speech between its silences, 16 kHz int16, a multiple of GRAIN_S long."""
    sound = soxr.resample(speech.samples.astype(np.float64), speech.rate, SAMPLE_RATE)
    sound *= PEAK * np.iinfo(np.int16).max / np.abs(sound).max()
    lead, grain = round(LEAD_S * SAMPLE_RATE), round(GRAIN_S * SAMPLE_RATE)
    length = -(-(lead + len(sound) + round(TAIL_S * SAMPLE_RATE)) // grain) * grain
    return np.pad(sound, (lead, length - lead - len(sound))).round().astype(np.int16)


def make_clips(chosen: list[Sentence], fps: float) -> Iterator[DemoClip]:
    """The lines' clips in order, each made in a process of its own, for espeak-ng remembers what it has spoken."""
    load_library()
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=1) as pool:
        yield from pool.imap(partial(make_clip, fps=fps), chosen, chunksize=1)


def origin(clip: DemoClip) -> str:
    """What the sound and the transcript say of themselves."""
    return f"procedural, not captured: espeak-ng {clip.version}"


def write_audio(path: Path, clip: DemoClip) -> None:
    """Write the sound as 16-bit FLAC, with its origin as the comment; whole or not at all."""
    import soundfile

    with (
        written_whole(path) as partial_path,
        soundfile.SoundFile(partial_path, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as file,
    ):
        file.comment = f"{origin(clip)} speech"
        file.write(clip.audio)


def write_words(path: Path, clip: DemoClip) -> None:
    """Write start⇥end⇥token rows, in seconds, under their origin."""
    rows = [f"{word.start_s:.{DECIMALS}f}\t{word.end_s:.{DECIMALS}f}\t{word.text}" for word in clip.words]
    _write_text(path, [f"# {origin(clip)} phoneme timings", *rows])


def _write_text(path: Path, rows: list[str]) -> None:
    with written_whole(path) as partial_path:
        partial_path.write_text("\n".join(rows) + "\n", encoding="utf-8", newline="\n")


def write_corpus(out: Path, fps: float) -> str:
    """Make and write everything under out; returns what was done, in one line."""
    sentences, corpus = lines(), Corpus(out)
    frames = 0
    for clip in tqdm(make_clips(sentences, fps), total=len(sentences), unit="clip"):
        name = clip.line.id
        write_audio(corpus.place("wav", name).with_suffix(".flac"), clip)
        write_curves(corpus.place("bs", name), clip.curves)
        write_words(corpus.place("tsv", name), clip)
        _write_text(corpus.place("text", name), [clip.line.text])
        frames += len(clip.curves)
    for clip in make_clips([HELLO], fps):
        write_audio(out / "hello.flac", clip)
        write_words(out / "hello.tsv", clip)
    return f"made {len(sentences)} clips, {frames:,} frames ({frames / fps / 60:.1f} min), in {out}"


def parse() -> Namespace:
    examples = """
        python -m data_process.demo_corpus
        python -m data_process.demo_corpus --out data/demo_60 --out_fps 60
    """
    command = parser(__doc__, examples)
    command.add_argument("--out", type=Path, default=Path("dataset/demo"), help="the folder to write")
    command.add_argument("--out_fps", type=float, default=USUAL_FPS, help="frames a second of bs/*.csv")
    renamed(command, "--fps", "--out_fps")
    arguments = command.parse_args()
    check_out_fps(arguments.out_fps)
    return arguments


def main() -> None:
    arguments = parse()
    print(write_corpus(arguments.out, arguments.out_fps))


if __name__ == "__main__":
    run(main)
