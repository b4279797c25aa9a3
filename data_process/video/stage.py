"""Videos to a corpus, in two stages: what is slow, tracking, is not done again when what follows it changes."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from config.errors import UserError
from config.files import written_whole
from config.processes import Meeting
from config.units import SAMPLE_RATE
from data_process.doctor.curve_checks import dead_channels
from data_process.doctor.sound_checks import sound_report
from data_process.energy import PAUSE_MARGIN_S, inside, speech_stretches
from data_process.stages import Item, run_stage
from data_process.video.clean import Lids, clean, measure_lids, neutral_pose, without_neutral
from data_process.video.decoded import Picture, has_sound
from data_process.video.head_pose import NAMES as HEAD
from data_process.video.landmarker import MODEL, check_tracker
from data_process.video.measures import ANOTHER, build_of, distance, measure_clip
from data_process.video.readings import GAINS, UNREAD, calibrated
from data_process.video.shots import find_jumps, split
from data_process.video.tracked import Tracked, read_tracked, write_tracked
from dataset.audio import Channel, fitting_scale, pick_channel, read_audio, to_int16, write_wav
from dataset.blendshapes import ARKIT, write_columns
from dataset.corpus import UNCAPTURED, Corpus, Kind
from dataset.recordings.recording import Recording
from dataset.recordings.timing import USUAL_FPS
from dataset.sync import STEP_S, mouth_opening, voice_energy

TRACK_VERSION = 1  # to raise when the same video would be tracked otherwise
CLIPS_VERSION = 1  # and when the same tracks would become other clips
CALIBRATED = "calibrated"  # a column of manifest.csv: channels, each / the gain that it was divided by


@dataclass(frozen=True)
class VideoSettings:
    """How videos become clips."""

    out_fps: float = USUAL_FPS  # of bs/*.csv
    tracker: Path = MODEL
    channel: Channel = "loudest"
    keep_frames: bool = False
    calibrate: bool = False  # divide channels by the gains that are known of the tracker

    def manifest_row(self, speaker: str) -> dict[str, str]:
        """What manifest.csv says of a clip, by column."""
        row = {"speaker": speaker, UNCAPTURED: " ".join(UNREAD)}
        if self.calibrate:
            row[CALIBRATED] = " ".join(f"{name}/{gain:.2g}" for name, gain in GAINS.items())
        return row


@dataclass
class VideoReport:
    """What became of videos."""

    clips: dict[str, dict[str, Any]] = field(default_factory=dict)  # clip → as prepare.json has it
    rows: dict[str, dict[str, str]] = field(default_factory=dict)  # clip → its row of manifest.csv
    failed: dict[str, str] = field(default_factory=dict)  # video → the line on why it gave nothing
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0  # of video
    tracked_s: float = 0.0  # of video, that were tracked just now,
    processor_s: float = 0.0  # and what of processors that took


def make_clips(
    videos: Mapping[str, Path], corpus: Corpus, settings: VideoSettings, jobs: int = 1, strict: bool = False
) -> VideoReport:
    """Track each video (id → file), and write the clips that it gives to the corpus's wav/, bs/ and neutral/.

    A video gives a clip for each stretch between cuts in which its face is seen: `<id>`, or `<id>_1`, `<id>_2`, … What
    is up to date is passed over. Under torchrun each process does its share. Raises UserError where the tracker is
    missing and, when strict, at the first video of no use.
    """
    check_tracker(settings.tracker)
    report = VideoReport()
    tracks = corpus.records("video")
    tracking = run_stage(
        "track",
        [Item(video, (file, settings.tracker), (tracks / f"{video}.npz",)) for video, file in videos.items()],
        partial(track_video, settings=settings, frames=corpus.folder / "frames"),
        records=tracks,
        settings={"version": TRACK_VERSION, "keep_frames": settings.keep_frames},
        jobs=jobs,
        strict=strict,
    )
    report.failed |= tracking.failed
    for video, found in tracking.results.items():
        report.seconds += found["seconds"]
        if video not in tracking.up_to_date:
            report.tracked_s += found["seconds"]
            report.processor_s += found["processor_s"]
    cutting = run_stage(
        "clips",
        [clip_item(video, videos[video], corpus, found) for video, found in tracking.results.items()],
        partial(write_clips, settings=settings),
        records=corpus.records("video_clips"),
        settings={
            **{"version": CLIPS_VERSION, "fps": settings.out_fps, "channel": settings.channel},
            **({"calibrate": True} if settings.calibrate else {}),
        },
        jobs=jobs,
        strict=strict,
        is_share=True,
    )
    report.failed |= cutting.failed
    for video, clips in cutting.results.items():
        report.clips |= clips
        report.rows |= dict.fromkeys(clips, settings.manifest_row(videos[video].resolve().parent.name))
        report.notes += list(_notes(video, videos[video], tracking.results[video], clips))
    return report


def gather_videos(meeting: Meeting, report: VideoReport) -> VideoReport | None:
    """The report on all videos in the first process, None in the others."""
    parts = meeting.gather(asdict(report))
    if parts is None:
        return None
    whole = VideoReport()
    for part in (VideoReport(**part) for part in parts):
        whole.clips |= part.clips
        whole.rows |= part.rows
        whole.failed |= part.failed
        whole.notes += part.notes
        whole.seconds += part.seconds
        whole.tracked_s += part.tracked_s
        whole.processor_s += part.processor_s
    return whole


def _notes(video: str, file: Path, found: Mapping[str, Any], clips: Mapping[str, Any]) -> Iterator[str]:
    if len(clips) > 1:
        yield f"{video}: {len(clips)} clips of {file}: it is cut, or its face is lost in between"
    if found["lost_s"] > 0:
        yield f"{video}: {found['lost_s']:.1f} of {found['seconds']:.1f} s are in no clip: no face, or too short"
    if clips and not found["has_sound"]:
        yield f"{video}: {file} has no sound; curves alone"


def track_video(item: Item, settings: VideoSettings, frames: Path) -> dict[str, Any]:
    """The first stage's work: the tracks' file, and what was found. Raises UserError where no face gives a clip."""
    from data_process.video.landmarker import Landmarker
    from data_process.video.scout import MOST_FACES, scout
    from data_process.video.track import track

    video, model = item.inputs
    begun = time.process_time()
    looker = Landmarker(model, MOST_FACES, in_order=False)
    with _progress(item.id) as progress:
        overview = scout(video, looker, progress)
    looker.close()
    sound = _Voice(video, settings.channel)
    with _progress(item.id, float(overview.times_s[-1])) as progress:
        keep = partial(keep_frame, frames / item.id) if settings.keep_frames else None
        tracked = track(video, overview, partial(Landmarker, model), sound.level, keep, progress)
    pieces = clip_rows(tracked)
    if not pieces:
        share = f"{tracked.found.mean():.0%} of its frames have one"
        raise UserError(f"{video}: no face is seen for a second on end ({share}); show it from the front, in light")
    write_tracked(item.outputs[0], tracked)
    seconds = float(tracked.times_s[-1] + tracked.step_s)
    kept_s = sum(float(np.ptp(tracked.times_s[rows])) + tracked.step_s for rows in pieces)
    return {
        "seconds": seconds,
        "processor_s": time.process_time() - begun,
        "lost_s": max(0.0, seconds - kept_s),
        "clips": len(pieces),
        "has_sound": sound.is_there,
    }


@contextmanager
def _progress(label: str, seconds: float | None = None) -> Iterator[Callable[[float], object]]:
    """A bar of the seconds of one video, which goes when it is done."""
    from tqdm import tqdm

    with tqdm(total=seconds and math.ceil(seconds), desc=label, unit="s", leave=False, position=1) as bar:
        yield lambda time_s: bar.update(int(time_s) - bar.n)


class _Voice:
    """A video's sound, read when it is asked for."""

    def __init__(self, video: Path, channel: Channel) -> None:
        self.is_there = has_sound(video)
        self._video, self._channel = video, channel
        self._level: tuple[np.ndarray, float] | None = None

    def level(self) -> tuple[np.ndarray, float] | None:
        """(steps,) and how many a second; None where there is no sound."""
        if self._level is None and self.is_there:
            self._level = voice_energy(read_sound(self._video, self._channel)), 1 / STEP_S
        return self._level


def read_sound(video: Path, channel: Channel) -> np.ndarray:
    """(samples,) 16 kHz float32, from where the picture begins. Raises UserError as read_audio does."""
    return read_audio(video, pick_channel(video, channel)[0])


def keep_frame(folder: Path, picture: Picture) -> None:
    """Write a frame as `<folder>/<milliseconds>.jpg`, for who asked for it."""
    from PIL import Image

    with written_whole(folder / f"{round(1000 * picture.time_s):08d}.jpg") as partial_file:
        Image.fromarray(picture.rgb()).save(partial_file, "JPEG", quality=90)


def clip_rows(tracked: Tracked) -> list[np.ndarray]:
    """For each clip that a video gives, its frames that have the face, (found,) int."""
    rows = np.flatnonzero(tracked.found)
    if not len(rows):
        return []
    times_s, boxes = tracked.times_s[rows], tracked.boxes[rows]
    centres, heights = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 3] - boxes[:, 1]
    cuts = np.flatnonzero(np.diff(tracked.shots[rows])) + 1
    breaks = np.concatenate([cuts, find_jumps(times_s, centres, heights)])
    return [rows[first:end] for first, end in split(times_s, tracked.step_s, breaks)]


def clip_item(video: str, file: Path, corpus: Corpus, found: Mapping[str, Any]) -> Item:
    """The second stage's work on a video: its inputs are the video and its tracks."""
    kinds: tuple[Kind, ...] = ("bs", "neutral", "wav") if found["has_sound"] else ("bs", "neutral")
    names = [video] if found["clips"] == 1 else [f"{video}_{number + 1}" for number in range(found["clips"])]
    outputs = tuple(corpus.place(kind, name) for name in names for kind in kinds)
    return Item(video, (file, corpus.records("video") / f"{video}.npz"), outputs)


def write_clips(item: Item, settings: VideoSettings) -> dict[str, dict[str, Any]]:
    """The second stage's work: clip → what is in it, as prepare.json has it."""
    video, tracks = item.inputs
    tracked = read_tracked(tracks)
    outputs: dict[str, dict[str, Path]] = {}
    for output in item.outputs:
        outputs.setdefault(output.stem, {})[output.parent.name] = output
    sound = read_sound(video, settings.channel) if any("wav" in of for of in outputs.values()) else None
    pieces = clip_rows(tracked)
    persons = read_persons(tracked, pieces, sound)
    found = {}
    for (clip, of), rows, person in zip(outputs.items(), pieces, persons, strict=True):
        found[clip] = {"source": video.name, **_write_clip(of, tracked, rows, person, sound, settings)}
    return found


@dataclass(frozen=True)
class Person:
    """What is taken away from, and mended in, what the tracker says of somebody."""

    neutral: np.ndarray  # (52,)
    lids: Lids


def read_persons(tracked: Tracked, pieces: list[np.ndarray], sound: np.ndarray | None) -> list[Person]:
    """For each clip of a video the person in it: the one of its longest clip, or one of its own.

    pieces: (found,) frames each; sound: (samples,) 16 kHz, whose pauses show the face at rest.
    """
    longest = max(pieces, key=len)
    build = build_of(tracked, longest)
    same = [distance(build_of(tracked, rows), build) < ANOTHER for rows in pieces]
    pauses = is_pause(tracked.times_s, sound)
    common = np.concatenate([rows for rows, is_same in zip(pieces, same, strict=True) if is_same])
    shared = read_person(tracked, common, pauses)
    return [
        shared if is_same else read_person(tracked, rows, pauses) for rows, is_same in zip(pieces, same, strict=True)
    ]


def read_person(tracked: Tracked, rows: np.ndarray, pauses: np.ndarray) -> Person:
    """rows: (found,) the frames with the person; pauses: (frames,) bool."""
    scores = tracked.scores[rows].astype(np.float64)
    neutral = neutral_pose(scores, pauses[rows], 1 / tracked.step_s)
    return Person(neutral, measure_lids(without_neutral(scores, neutral)))


def is_pause(times_s: np.ndarray, sound: np.ndarray | None) -> np.ndarray:
    """(frames,) bool: whether nobody speaks at these times; False all along where nothing tells it.

    sound: (samples,) 16 kHz.
    """
    if sound is None:
        return np.zeros(len(times_s), bool)
    try:
        stretches = speech_stretches(sound)
    except UserError:  # silence all along: nothing says that the face is at rest
        return np.zeros(len(times_s), bool)
    heard = times_s < len(sound) / SAMPLE_RATE
    return heard & ~inside(times_s, stretches, PAUSE_MARGIN_S)


def _write_clip(
    outputs: Mapping[str, Path],
    tracked: Tracked,
    rows: np.ndarray,
    person: Person,
    sound: np.ndarray | None,
    settings: VideoSettings,
) -> dict[str, Any]:
    times_s = tracked.times_s[rows]
    done = clean(tracked.scores[rows].astype(np.float64), person.neutral, person.lids, 1 / tracked.step_s)
    angles = dict(zip(HEAD, tracked.angles[rows].astype(np.float64).T, strict=True))
    curves = calibrated(done.curves) if settings.calibrate else done.curves
    recording = Recording(ARKIT, curves, times_s - times_s[0], 1 / tracked.step_s, angles, "mediapipe")
    even = recording.at_rate(settings.out_fps)
    write_columns(outputs["bs"], even.columns())
    write_columns(outputs["neutral"], dict(zip(ARKIT, person.neutral[:, None], strict=True)))
    measures = measure_clip(tracked, rows, mouth_opening(done.curves), done.noise)
    found: dict[str, Any] = {
        "video": {**asdict(measures), "start_s": float(times_s[0])},
        "bs": {
            "layout": recording.layout,
            "source_fps": recording.fps,
            "source_frames": recording.frames,
            "seconds": recording.duration_s,
            "dropped_frames": int(recording.dropped_before.sum()),
            "doubled_frames": 0,
            "percent": False,
            "frames": even.frames,
            "dead": list(dead_channels(even.curves())),
        },
        "neutral": {"layout": recording.layout, "frames": 1},
    }
    if sound is not None and "wav" in outputs:
        found["wav"] = _write_sound(outputs["wav"], sound, times_s[0], times_s[0] + even.frames / settings.out_fps)
    return found


def _write_sound(output: Path, sound: np.ndarray, start_s: float, end_s: float) -> dict[str, Any]:
    piece = sound[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    if not len(piece):
        raise UserError(f"{output.stem}: its sound ends at {len(sound) / SAMPLE_RATE:.2f} s, before the clip begins")
    scale = fitting_scale(piece, piece)
    write_wav(output, to_int16(piece * scale))
    about = {"seconds": len(piece) / SAMPLE_RATE, "rate_hz": SAMPLE_RATE, "channels": 1, "scaled_by": float(scale)}
    return {**about, **sound_report(piece)}
