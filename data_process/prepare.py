"""Turn a folder of recordings into a corpus: sound, curves and transcripts, paired by name, to wav/, bs/, text/."""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, renamed, run
from config.errors import UserError, in_one_line
from config.files import written_whole
from config.processes import Meeting, share
from config.units import SAMPLE_RATE
from data_process.pairs import Found, RawClip, find_clips
from data_process.stages import Item, StageReport, gather_report, run_stage, stage_arguments
from data_process.video.landmarker import MODEL
from dataset.audio import (
    VIDEO_SUFFIXES,
    Channel,
    fitting_scale,
    pick_channel,
    read_unresampled,
    resample_audio,
    to_int16,
    write_wav,
)
from dataset.blendshapes import ARKIT, write_columns
from dataset.corpus import Corpus, Prepared, corpus_of
from dataset.recordings.layouts import read_recording
from dataset.recordings.timing import RATES

if TYPE_CHECKING:
    from data_process.video.stage import VideoReport

VERSION = 2  # to raise when the same recording would become other files
LOG = "prepare.log"
USUAL_RATE = 0.02  # by which frames over seconds of sound may miss a usual rate that is then suggested


@dataclass(frozen=True)
class Settings:
    """How recordings are converted."""

    out_fps: float = 25.0  # of bs/*.csv
    fps: float | None = None  # of curves whose files tell none
    channel: Channel = "loudest"
    first_s: float | None = None  # of each recording, the only ones to be taken; None: all
    tracker: Path | None = None  # the model that finds the curves of videos; None: of such only the sound is taken

    def as_recorded(self) -> dict[str, object]:
        """As the records of what was converted name them."""
        cut = {} if self.first_s is None else {"first_s": self.first_s}
        return {"fps": self.out_fps, "source_fps": self.fps, "channel": self.channel, **cut}

    def first(self, rows: np.ndarray, rate: float) -> np.ndarray:
        """Those rows of (rows, …), so many a second, that are taken."""
        return rows if self.first_s is None else rows[: round(self.first_s * rate)]


def main() -> None:
    arguments = parser(
        __doc__,
        """python -m data_process.prepare --source recordings/ --out data/mine
        python -m data_process.prepare --source recordings/ --out data/mine --out_fps 30 --fps 60 --channel 1
        python -m data_process.prepare --source recordings/ --out data/minute --out_fps 30 --first_s 60
        python -m data_process.prepare --source videos/ --out data/me --out_fps 30 --tracker face_landmarker.task
        torchrun --nproc_per_node 4 -m data_process.prepare --source recordings/ --out data/mine""",
    )
    arguments.add_argument(
        "--source", type=Path, required=True, help="folder of recordings, however deep they lie, or a corpus"
    )
    arguments.add_argument("--out", type=Path, required=True, help="the corpus: gets wav/, bs/, text/, neutral/")
    arguments.add_argument(
        "--out_fps", type=frame_rate, default=25.0, help="frames a second of bs/*.csv (formerly --fps)"
    )
    arguments.add_argument("--fps", type=frame_rate, help="frames a second of curves whose files tell none")
    renamed(arguments, "--source_fps", "--fps")
    arguments.add_argument("--channel", type=channel, default="loudest", help="of several: loudest, mean, or 1, 2, …")
    arguments.add_argument(
        "--first_s", type=positive_seconds, help="take the first so many seconds of each recording, and no text"
    )
    arguments.add_argument(
        "--tracker", type=Path, help=f"the face tracker's model, for videos without curves (default: {MODEL} if there)"
    )
    stage_arguments(arguments)
    options = arguments.parse_args()
    tracker = options.tracker or (MODEL if MODEL.is_file() else None)
    settings = Settings(options.out_fps, options.fps, options.channel, options.first_s, tracker)
    prepare(options.source, options.out, settings, options.jobs, options.strict)


def frame_rate(text: str) -> float:
    """Of the command line. Raises ValueError for what cannot be one."""
    fps = float(text)
    if not 0 < fps <= 240:
        raise ValueError
    return fps


def positive_seconds(text: str) -> float:
    """Of the command line. Raises ValueError for what are none."""
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ValueError
    return seconds


def channel(text: str) -> Channel:
    """Of the command line. Raises ValueError for what is none."""
    if text == "loudest":
        return "loudest"
    if text == "mean":
        return "mean"
    if int(text) < 1:
        raise ValueError
    return int(text)


def prepare(source: Path, out: Path, settings: Settings, jobs: int = 1, strict: bool = False) -> None:
    """Write the corpus, prepare.log and prepare.json, and print the totals; what is up to date is passed over.

    Raises UserError when nothing can be made of it, or, when strict, at the first file that is of no use.
    """
    from data_process.video.stage import gather_videos  # loads scipy

    if out.resolve() == source.resolve() or out.resolve() in source.resolve().parents:
        raise UserError(f"{out}: the recordings are in there; give the corpus a folder of its own")
    found = find_clips(source, leave_out=out)
    if strict and found.problems:
        raise UserError(found.problems[0])
    corpus = Corpus(out)
    meetings = [Meeting(corpus.records(f"{stage}.ranks")) for stage in ("video", "prepare")]
    videos = gather_videos(meetings[0], _track(found, corpus, settings, jobs, strict))
    for clip in share(found.clips):
        if clip.sentence and settings.first_s is None:
            write_text(corpus.place("text", clip.id), clip.sentence)
    report = run_stage(
        "prepare",
        [to_item(clip, corpus) for clip in found.clips],
        partial(convert, settings=settings),
        records=corpus.records("prepare"),
        settings={"version": VERSION, **settings.as_recorded()},
        jobs=jobs,
        strict=strict,
    )
    whole = gather_report(meetings[1], report)
    if whole is not None and videos is not None:
        close(source, corpus, settings, found, whole, videos)


def _track(found: Found, corpus: Corpus, settings: Settings, jobs: int, strict: bool) -> "VideoReport":
    """Make clips of the videos that have no curves beside them, which are then found no more."""
    from data_process.video.stage import VideoReport, VideoSettings, make_clips

    videos = {clip.id: clip.sound for clip in found.clips
              if clip.sound and not clip.curves and clip.sound.suffix.lower() in VIDEO_SUFFIXES}  # fmt: skip
    if not videos:
        return VideoReport()
    if settings.tracker is None:
        found.notes.append(f"{min(videos)}: of videos without curves the sound alone is taken; --tracker makes curves")
        return VideoReport()
    found.clips = [clip for clip in found.clips if clip.id not in videos]
    tracking = VideoSettings(settings.out_fps, settings.tracker, settings.channel)
    return make_clips(videos, corpus, tracking, jobs, strict)


def to_item(clip: RawClip, corpus: Corpus) -> Item:
    """The clip's work: each output is made of the input in its place; inputs beyond those decide along with them."""
    made = [
        (clip.sound, corpus.place("wav", clip.id)),
        (clip.curves, corpus.place("bs", clip.id)),
        (clip.neutral, corpus.place("neutral", clip.id)),
    ]
    pairs = [(file, output) for file, output in made if file]
    names = sorted(clip.curves.parent.glob("*names.*")) if clip.curves and clip.curves.suffix == ".npy" else []
    return Item(clip.id, (*(file for file, _ in pairs), *names), tuple(output for _, output in pairs))


def convert(item: Item, settings: Settings) -> dict[str, dict[str, Any]]:
    """Write the clip's outputs; what was found in each input, by the output's folder. Raises UserError."""
    found: dict[str, dict[str, Any]] = {}
    for source, output in zip(item.inputs, item.outputs, strict=False):
        with in_one_line(source):
            if output.parent.name == "wav":
                found["wav"] = convert_sound(source, output, settings)
            elif output.parent.name == "bs":
                found["bs"] = convert_curves(source, output, settings, found.get("wav", {}).get("seconds"))
            else:
                found["neutral"] = convert_neutral(source, output)
    return found


def convert_sound(source: Path, output: Path, settings: Settings) -> dict[str, Any]:
    """16 kHz mono 16-bit wav of one channel, scaled to fit where the source goes past full scale.

    Returns its measures before resampling, and more; scaled_by: 1 for what fits.
    """
    from data_process.doctor.sound_checks import sound_report

    picked, channels = pick_channel(source, settings.channel)
    audio, rate = read_unresampled(source, picked)
    audio = settings.first(audio, rate)
    resampled = resample_audio(audio, rate)
    scale = fitting_scale(audio, resampled)
    wav = to_int16(resampled * scale)
    write_wav(output, wav)
    seconds = len(wav) / SAMPLE_RATE
    about = {"seconds": seconds, "rate_hz": rate, "channels": channels, "channel": picked, "scaled_by": float(scale)}
    return {**about, **sound_report(audio, rate)}


def convert_curves(source: Path, output: Path, settings: Settings, sound_s: float | None) -> dict[str, Any]:
    """A csv of the 52 columns at settings.out_fps, and of head and eye angles where there are any; nothing clamped."""
    recording = read_recording(source)
    if recording.fps is None and recording.times_s is None:
        if settings.fps is None:
            raise UserError(f"{source}: nothing tells its frame rate; {_suggest_rate(recording.frames, sound_s)}")
        recording = replace(recording, fps=settings.fps)
    resampled = recording.at_rate(settings.out_fps)
    columns = {name: settings.first(column, settings.out_fps) for name, column in resampled.columns().items()}
    write_columns(output, columns)
    return {
        "layout": recording.layout,
        "source_fps": recording.fps,
        "source_frames": recording.frames,
        "seconds": recording.duration_s and min(recording.duration_s, settings.first_s or math.inf),
        "dropped_frames": int(recording.dropped_before.sum()),
        "doubled_frames": len(recording.doubled_rows),
        "percent": recording.percent,
        "frames": len(columns[ARKIT[0]]),
    }


def convert_neutral(source: Path, output: Path) -> dict[str, Any]:
    """The neutral pose as it is, frame by frame, as a csv of the 52 columns."""
    recording = read_recording(source)
    write_columns(output, recording.columns())
    return {"layout": recording.layout, "frames": recording.frames}


def _suggest_rate(frames: int, sound_s: float | None) -> str:
    if not sound_s:
        return "say --fps"
    measured = frames / sound_s
    nearest = min(RATES, key=lambda rate: abs(rate - measured))
    mend = f"--fps {nearest:.6g}" if abs(nearest - measured) < USUAL_RATE * nearest else "--fps"
    return f"its {frames} frames beside {sound_s:.2f} s of sound make {measured:.2f} a second: say {mend}"


def write_text(path: Path, sentence: str) -> None:
    """The sentence as written, in a line."""
    content = f"{sentence}\n".encode()
    if not path.is_file() or path.read_bytes() != content:
        with written_whole(path) as partial_file:
            partial_file.write_bytes(content)


def close(
    source: Path, corpus: Corpus, settings: Settings, found: Found, report: StageReport, videos: "VideoReport"
) -> None:
    """Write prepare.log and prepare.json, and print the totals. Raises UserError when no clip could be prepared."""
    from data_process.video.corpus_of_videos import totals_of, write_rows

    problems = [*found.problems, *(f"{clip}: {line}" for clip, line in (report.failed | videos.failed).items())]
    videos.rows |= _rows_of_corpora([clip for clip in found.clips if clip.id in report.results], found)
    lines = sorted(problems) + sorted(
        [*found.notes, *videos.notes, *_scaled(report), *_lone(found.clips), *_gone(corpus, found.clips)]
    )
    log = corpus.folder / LOG
    with written_whole(log) as partial_file:
        partial_file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    clips = {
        clip.id: {**_sources(clip, source), **report.results[clip.id]}
        for clip in found.clips
        if clip.id in report.results
    } | videos.clips
    corpus.write_prepared(Prepared(settings.out_fps, clips))
    if not clips:
        raise UserError(f"{source}: no clip could be prepared; the first: {problems[0]}")
    if videos.rows:
        write_rows(corpus, videos)
    if videos.clips:
        print(totals_of(videos))
    if found.clips:
        print(_totals(found, report, len(problems), len(lines), log))
    print(_sound_summary({clip: found["wav"] for clip, found in clips.items() if "wav" in found}))


def _rows_of_corpora(clips: list[RawClip], found: Found) -> dict[str, dict[str, str]]:
    """Clip → its row of the manifest of the corpus that its curves come from: who speaks, and what is not captured."""
    manifests: dict[Path, dict[str, dict[str, str]]] = {}
    rows = {}
    for clip in clips:
        known = corpus_of(clip.curves) if clip.curves else None
        if clip.curves is None or known is None:
            continue
        if known.folder not in manifests:
            try:
                manifests[known.folder] = known.read_manifest()
            except UserError as error:  # another program's
                found.notes.append(f"{error}; left aside")
                manifests[known.folder] = {}
        if row := manifests[known.folder].get(clip.curves.stem):
            rows[clip.id] = row
    return rows


def _scaled(report: StageReport) -> list[str]:
    scales = {clip: found["wav"]["scaled_by"] for clip, found in report.results.items() if "wav" in found}
    return [
        f"{clip}: its sound goes past full scale; written {20 * math.log10(1 / scale):.1f} dB quieter, to fit 16 bits"
        for clip, scale in scales.items()
        if scale < 1
    ]


def _lone(clips: list[RawClip]) -> list[str]:
    sounds = [f"{clip.id}: sound without curves ({clip.sound})" for clip in clips if not clip.curves]
    return sounds + [f"{clip.id}: curves without sound ({clip.curves})" for clip in clips if not clip.sound]


def _gone(corpus: Corpus, clips: list[RawClip]) -> list[str]:
    here = {clip.id for clip in clips}
    earlier = sorted(record.stem for record in corpus.records("prepare").glob("*.json"))
    return [f"{clip}: from an earlier run, its recording is gone; its files in {corpus.folder} are left"
            for clip in earlier if clip not in here]  # fmt: skip


def _sources(clip: RawClip, source: Path) -> dict[str, str]:
    files = {"sound": clip.sound, "curves": clip.curves, "neutral_pose": clip.neutral}
    return {kind: file.relative_to(source).as_posix() for kind, file in files.items() if file}


def _totals(found: Found, report: StageReport, failed: int, lines: int, log: Path) -> str:
    done = [clip for clip in found.clips if clip.id in report.results]
    kinds = {
        "with sound and curves": [clip for clip in done if clip.sound and clip.curves],
        "with sound alone": [clip for clip in done if not clip.curves],
        "with curves alone": [clip for clip in done if not clip.sound],
        "with text": [clip for clip in done if clip.sentence],
    }
    said = ", ".join(f"{len(clips)} {kind}" for kind, clips in kinds.items() if clips)
    return (
        f"prepared {len(done)} clips ({len(report.up_to_date)} up to date): {said}; {_minutes(report):.1f} min, "
        f"{failed} failed{f': see {log}' if lines else ''}"
    )


def _minutes(report: StageReport) -> float:
    return sum(max(of.get("seconds") or 0.0 for of in found.values()) for found in report.results.values()) / 60


_WORST: Mapping[str, Callable[[float], str]] = {
    "clipped_share": lambda share: f"clipped up to {100 * share:.2g} %",
    "dc_offset": lambda offset: f"offset up to {abs(offset):.2g}",
    "silent_share": lambda share: f"silent up to {100 * share:.0f} %",
    "hum_db": lambda decibels: f"hum up to {decibels:.0f} dB above its surroundings",
}


def _sound_summary(sounds: Mapping[str, Mapping[str, float]]) -> str:
    """The worst clip of each measurement."""
    if not sounds:
        return "no sound"
    worst = {name: max(sounds, key=lambda clip: abs(sounds[clip][name])) for name in _WORST}
    return "sound: " + ", ".join(f"{say(sounds[worst[name]][name])} ({worst[name]})" for name, say in _WORST.items())


if __name__ == "__main__":
    run(main)
