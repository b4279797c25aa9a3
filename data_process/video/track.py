"""The second look at a video: one face followed through each shot, frame by frame."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from data_process.video.decoded import Picture, pictures
from data_process.video.face import FaceTrack, SeenFace, Tracker, link
from data_process.video.head_pose import head_angles
from data_process.video.scout import RIVAL, Overview, Shot, moved
from data_process.video.tracked import Tracked
from dataset.blendshapes import ARKIT

LEAST_EDGE = 0.1  # in correlation of mouth and voice, by which a smaller face must beat the largest to be followed
LEAST_HEARD_S = 2.0


def track(
    path: Path,
    overview: Overview,
    tracker_of: Callable[[int], Tracker],
    voice: Callable[[], tuple[np.ndarray, float] | None],
    keep: Callable[[Picture], object] | None = None,
    progress: Callable[[float], object] = lambda _: None,
) -> Tracked:
    """Follow the largest face of each shot, or the one who speaks.

    tracker_of: of how many faces → a tracker for one shot. voice: the sound's level, (steps,) so many a second, asked
    for where a shot has several faces; None without sound. keep: told each picture with a face (without
    it nothing of the picture is left). Raises as pictures does.
    """
    frames = len(overview.times_s)
    chosen: list[SeenFace | None] = [None] * frames
    shots, rivals = np.zeros(frames, int), np.full(frames, np.nan, np.float32)
    for number, shot, found in _faces_by_shot(path, overview, tracker_of, keep, progress):
        shots[shot.first : shot.end] = number
        tracks = link(found)
        if not tracks:
            continue
        times_s = overview.times_s[shot.first : shot.end]
        followed = follow(tracks, times_s, voice() if len(tracks) > 1 else None)
        for track_of in followed:
            for frame, face in zip(track_of.frames, track_of.faces, strict=True):
                chosen[shot.first + frame] = face
        for other in tracks:
            if other not in followed and other.height >= RIVAL * followed[0].height:
                at = shot.first + other.frames
                rivals[at] = np.fmax(rivals[at], other.opening())
    return _as_tracked(overview, shots, chosen, rivals)


def follow(tracks: Sequence[FaceTrack], times_s: np.ndarray, voice: tuple[np.ndarray, float] | None) -> list[FaceTrack]:
    """The chosen face, and those of about its size that are there only while it is not: itself again, most likely.

    times_s, voice: as choose's.
    """
    followed = [choose(tracks, times_s, voice)]
    taken = set(followed[0].frames.tolist())
    for other in sorted(tracks, key=lambda face: -face.size):
        if other.height >= RIVAL * followed[0].height and taken.isdisjoint(other.frames.tolist()):
            followed.append(other)
            taken |= set(other.frames.tolist())
    return followed


def choose(tracks: Sequence[FaceTrack], times_s: np.ndarray, voice: tuple[np.ndarray, float] | None) -> FaceTrack:
    """The largest face; of several of about its size the one whose mouth goes with the voice, where one clearly does.

    times_s: (frames,) of the shot. voice: (steps,) its level and how many steps a second.
    """
    largest = max(tracks, key=lambda face: face.size)
    rivals = [face for face in tracks if face is not largest and face.size >= RIVAL * largest.size]
    if voice is None or not rivals:
        return largest
    speaker = max([largest, *rivals], key=lambda face: agreement(face, times_s, *voice))
    edge = agreement(speaker, times_s, *voice) - agreement(largest, times_s, *voice)
    return speaker if edge >= LEAST_EDGE else largest


def agreement(face: FaceTrack, times_s: np.ndarray, level: np.ndarray, rate: float) -> float:
    """Pearson's r of its mouth's opening with the voice's level; −1 where it is seen for less than LEAST_HEARD_S.

    times_s: (frames,) of the shot; level: (steps,) at `rate` steps a second.
    """
    at_s, opening = times_s[face.frames], face.opening()
    if at_s[-1] - at_s[0] < LEAST_HEARD_S or not opening.std() > 0:
        return -1.0
    heard = np.interp(at_s, np.arange(len(level)) / rate, level)
    return float(np.corrcoef(opening, heard)[0, 1]) if heard.std() > 0 else -1.0


def _faces_by_shot(
    path: Path,
    overview: Overview,
    tracker_of: Callable[[int], Tracker],
    keep: Callable[[Picture], object] | None,
    progress: Callable[[float], object],
) -> Iterator[tuple[int, Shot, list[list[SeenFace]]]]:
    """(number, shot, the faces of each of its frames)."""
    stream = pictures(path)
    for number, shot in enumerate(overview.shots):
        found: list[list[SeenFace]] = []
        tracker = tracker_of(shot.faces) if shot.faces else None
        try:
            while len(found) < shot.end - shot.first:
                picture = next(stream)
                found.append(_in_region(picture, shot, tracker) if tracker else [])
                if keep and found[-1]:
                    keep(picture)
                progress(picture.time_s)
        except StopIteration:
            return  # the file has changed under us: what was seen of the shot is not whole
        finally:
            if tracker:
                tracker.close()
        yield number, shot, found


def _in_region(picture: Picture, shot: Shot, tracker: Tracker) -> list[SeenFace]:
    rgb = picture.rgb()
    if shot.region is None:
        return tracker.faces(rgb, picture.time_s)
    left, top, right, bottom = shot.region
    return [moved(face, left, top) for face in tracker.faces(rgb[top:bottom, left:right], picture.time_s)]


def _as_tracked(
    overview: Overview, shots: np.ndarray, chosen: Sequence[SeenFace | None], rivals: np.ndarray
) -> Tracked:
    rows = np.array([index for index, face in enumerate(chosen) if face is not None], int)
    faces = [face for face in chosen if face is not None]

    def column(values: list[np.ndarray], width: int) -> np.ndarray:
        whole = np.full((len(chosen), width), np.nan, np.float32)
        if len(rows):
            whole[rows] = np.array(values)
        return whole

    rotations = np.array([face.rotation for face in faces]).reshape(-1, 3, 3)
    return Tracked(
        times_s=overview.times_s,
        shots=shots,
        changes=overview.changes,
        scores=column([face.scores for face in faces], len(ARKIT)),
        angles=column(list(head_angles(rotations)), 3),
        boxes=column([face.box for face in faces], 4),
        builds=column([face.build for face in faces], len(faces[0].build) if faces else 0),
        rivals=rivals,
    )
