"""What is wrong with a clip that came out of a video, by the measures that its stage wrote."""

from collections.abc import Iterator, Sequence

import numpy as np

from data_process.doctor.judgement import Finding, Limit, Sides
from data_process.doctor.measure import Measured
from data_process.video.measures import ANOTHER, PROFILE_DEG, ClipMeasures, distance

LOST_FACE = Limit(0.1, 0.5)  # of the shot's frames
PROFILE = Limit(0.2, 0.6)  # of the clip's frames
STILL = Limit(0.1, 0.5)
FEWEST_PX, LEAST_PX = 100.0, 40.0  # of the face's height: a warning below the one, an error below the other
LEAST_FPS = 20.0  # a closure of p, b, m lasts 60 to 100 ms: slower footage misses it
RIVAL_SHARE, RIVAL_MOVES = 0.1, 0.5  # another face in so many frames, whose mouth moves so much of the followed one's


def judge_video(clip: str, video: ClipMeasures) -> Iterator[Finding]:
    """What one clip's measures show."""
    if level := LOST_FACE.level(video.lost_share):
        text = f"the face is lost in {video.lost_share:.0%} of the shot's frames; they are in no clip"
        yield Finding(level, "lost face", clip, text, "more light, a larger face, nothing before the mouth")
    if video.face_px < FEWEST_PX:
        level = "error" if video.face_px < LEAST_PX else "warning"
        text = f"the face is {video.face_px:.0f} pixels high: lips move by a pixel or two"
        yield Finding(level, "small face", clip, text, f"film closer, or larger: {FEWEST_PX:.0f} pixels and more")
    if level := PROFILE.level(video.profile_share):
        text = f"turned away by more than {PROFILE_DEG:.0f}° in {video.profile_share:.0%} of the frames"
        yield Finding(level, "profile", clip, text, "half of the mouth is hidden there: film from the front")
    if level := STILL.level(video.still_share):
        text = f"{video.still_share:.0%} of the pictures are the one before"
        advice = "a frozen stream or doubled frames: take the camera's own file, or leave the clip out"
        yield Finding(level, "still picture", clip, text, advice)
    if video.source_fps < LEAST_FPS:
        text = f"{video.source_fps:.3g} frames a second: closed lips fall between them"
        yield Finding("warning", "slow video", clip, text, f"film at 25 and more; at least {LEAST_FPS:.0f}")
    if video.rival_share >= RIVAL_SHARE and video.rival_moves >= RIVAL_MOVES:
        text = f"another face is in {video.rival_share:.0%} of the frames, and its mouth moves too"
        yield Finding("warning", "more than one speaker", clip, text, "see who speaks; cut the other's turns out")


def wrong_persons(clips: Sequence[Measured], sides: Sides) -> Iterator[Finding]:
    """The clips whose face is built otherwise than in the longest clip of the same speaker."""
    faces: dict[str, list[Measured]] = {}
    for clip in clips:
        if clip.video is not None and clip.curves is not None:
            faces.setdefault(sides.speakers.get(clip.id, ""), []).append(clip)
    for speaker, members in faces.items():
        longest = max(members, key=lambda clip: clip.curves.duration_s if clip.curves else 0.0)
        for clip in members:
            assert clip.video is not None and longest.video is not None
            away = distance(np.array(clip.video.build), np.array(longest.video.build))
            if away >= ANOTHER:
                text = f"suspect: another person than in {longest.id} ({away:.2f} apart, {ANOTHER:g} and less is one)"
                advice = f"name its speaker in manifest.csv{f', not {speaker}' if speaker else ''}; or leave it out"
                yield Finding("warning", "wrong person", clip.id, text, advice)
