"""What the measures say: findings, the worst first, each with what to do about it."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from data_process.doctor.fingerprint import same_recordings
from data_process.doctor.judgement import LEVELS, Finding, Limit, Sides
from data_process.doctor.measure import CurveMeasures, Measured
from data_process.doctor.side_checks import LEAST_CLIPS, sides_likeness
from data_process.doctor.video_findings import judge_video, wrong_persons
from dataset.blendshapes import EYE, JAW, MOUTH
from dataset.recordings.timing import RATES

# In brackets what clean material reads at most: 47 pieces of 10 s of FACEGOOD's clips, two Live Link Face captures in
# 25 pieces of 10 s, the procedural demo. tests/data_process/doctor/ plants defects and counts the false alarms.
GAP_S = Limit(0.05, 0.2)  # sound against curves [0.03]; pack's default tolerance is 0.2
LAG_MS = Limit(60, 100)  # [29; 55 in pieces of 3 s]
NATURAL_LEAD_MS = 80  # a mouth moves before it is heard, by 40 to 80 ms as cameras see it
SURE_CORRELATION, SURE_MARGIN = 0.4, 0.15  # a lag below either is not told [0.40, 0.07: 1 of 28 demo clips]
COMMON_LAG_MS, COMMON_CLIPS = 40, 5  # a median over clips that is no chance
UNRELATED, UNRELATED_S = 0.25, 6.0  # correlation below which a mouth does not follow the sound, in clips so long [0.40]
DRIFT_MS, DRIFT_CONFIDENCE = 80, 0.3  # spread of the lag along a clip, where the window is so sure [60]
LOST_SHARE = Limit(0.01, 0.05)  # of frames, by their times [0.0007]
TWICE_SHARE = Limit(0.01, 0.1)  # of rows [0]
FROZEN_SHARE = Limit(0.0, 0.05)  # of the clip, in stretches of 0.3 s and more [none]
SATURATED_SHARE = Limit(0.015, 0.1)  # of a channel's frames [0.008]
OUTSIDE = Limit(0.1, 1.0)  # beyond 0 or 1 [0.053]
REST = Limit(0.3)  # of a channel that should come back to 0; eyes look where they look [0.24]
NEUTRAL = Limit(0.15)
JITTER = Limit(0.003, 0.02)  # in coefficients [0.0008; white noise of 0.01 reads 0.006]
SILENCE_MOTION = Limit(0.5)  # of the speed in speech [0.24]
NOISE_DB = Limit(10)  # speech above noise; warned below [33]
FAINT_NOISE_DB = 20
CLIPPED_SHARE = Limit(0.0005, 0.01)  # of samples [0]
OFFSET = Limit(0.02, 0.2)  # of full scale [0.001]
HUM_DB = Limit(15)  # [9]
OPPOSITE = -0.3  # cosine or correlation that tells swapped sides [-0.17]
OPPOSITE_GAZE = -0.5  # [0.99]
SAME_SOUND = 0.03  # share of a fingerprint [0.013 between different sounds; 0.06 at least in pieces cut from 10 s]
LEAST_SPEECH_S = 0.3


def judge(clips: Sequence[Measured], sides: Sides) -> list[Finding]:
    """All findings on a corpus, the worst first."""
    found = [finding for clip in clips for finding in judge_clip(clip)]
    found += [*_common_lag(clips), *_rates(clips), *_dead(clips), *_sides(clips, sides)]
    found += [*_duplicates(clips, sides), *_speakers(clips, sides), *_transcripts(clips)]
    found += wrong_persons(clips, sides)
    return sorted(found, key=lambda f: (LEVELS.index(f.level), f.clip != "", f.kind, f.clip))


def judge_clip(clip: Measured) -> Iterator[Finding]:
    """What one clip shows by itself."""
    for line in clip.unreadable:
        yield Finding("error", "unreadable", clip.id, line, "mend the file or leave the clip out", "drop")
    if clip.files.wav is None:
        yield Finding("error", "no sound", clip.id, "curves without sound", "add wav/" + clip.id + ".wav", "drop")
    if clip.files.bs is None:
        yield Finding("error", "no curves", clip.id, "sound without curves", "add bs/" + clip.id + ".csv", "drop")
    if clip.sound is not None:
        yield from _sound(clip)
    if clip.curves is not None:
        yield from _frames(clip.id, clip.curves)
        if drift_ms(clip) < DRIFT_MS:  # else pauses of the face seem to fall into speech
            yield from _frozen(clip.id, clip.curves)
        yield from _channels(clip.id, clip.curves)
    if clip.sound is not None and clip.curves is not None:
        yield from _together(clip)
    if clip.video is not None:
        yield from judge_video(clip.id, clip.video)


def is_sure(clip: Measured) -> bool:
    """Whether the clip's lag can be told."""
    return clip.lag is not None and clip.lag.correlation >= SURE_CORRELATION and clip.lag.margin >= SURE_MARGIN


def drift_ms(clip: Measured) -> float:
    """How far the lag changes along the clip, where it can be told, or from the lag of the whole clip.

    In speech of even rhythm a part that is off by a syllable fits as well: then the path is steady, but elsewhere.
    """
    if clip.track is None:
        return 0.0
    sure = clip.track.path_ms[clip.track.confidence >= DRIFT_CONFIDENCE]
    whole = [clip.lag.ms] if clip.lag is not None and is_sure(clip) else []
    return float(np.ptp([*sure, *whole])) if len(sure) else 0.0


def _fault_ms(clip: Measured) -> float:
    """The clip's lag, which is told; 0 for a lead that is natural."""
    assert clip.lag is not None
    return 0.0 if -NATURAL_LEAD_MS <= clip.lag.ms <= 0 else clip.lag.ms


def is_steady(clip: Measured) -> bool:
    """Whether sound and curves are seen to go together all along, so that only an end is missing."""
    return is_sure(clip) and clip.track is not None and bool((clip.track.confidence >= DRIFT_CONFIDENCE).all())


def likely_rate(clip: Measured) -> float | None:
    """The rate of RATES, another than the one assumed, at which the curves would last as long as the sound."""
    assert clip.sound is not None and clip.curves is not None
    rate = clip.curves.frames / clip.sound.duration_s
    nearest = min(RATES, key=lambda known: abs(known - rate))
    return nearest if abs(rate / nearest - 1) < 0.01 and abs(clip.curves.fps / nearest - 1) > 0.02 else None


def _sound(clip: Measured) -> Iterator[Finding]:
    sound = clip.sound
    assert sound is not None
    if sound.silence or sound.speech_s < LEAST_SPEECH_S:
        reason = sound.silence or f"{sound.speech_s:.1f} s of speech in {sound.duration_s:.1f} s"
        yield Finding("error", "no speech", clip.id, reason, "look for the right channel or file", "drop")
        return
    noise = sound.speech_to_noise_db
    if noise is not None and noise < FAINT_NOISE_DB:
        level = "warning" if noise < NOISE_DB.warning else "note"
        advice = "denoise it, or leave it out if words are hard to hear"
        yield Finding(level, "noise", clip.id, f"speech only {noise:.0f} dB above the noise", advice)
    for kind, limit, name, text, advice in _LEVEL_CHECKS:
        value = abs(sound.levels[name])
        if found := limit.level(value):
            yield Finding(found, kind, clip.id, text.format(value), advice)


_LEVEL_CHECKS = (
    ("clipped sound", CLIPPED_SHARE, "clipped_share", "{:.2%} of the samples are cut off",
     "record again with less gain, or declip"),
    ("offset", OFFSET, "dc_offset", "the wave stands {:.3f} of full scale off zero", "high-pass it at 20 Hz"),
    ("hum", HUM_DB, "hum_db", "mains hum {:.0f} dB above its surroundings", "notch it out, and mend the ground loop"),
)  # fmt: skip


def _frames(clip: str, curves: CurveMeasures) -> Iterator[Finding]:
    if curves.dropped:
        share = curves.dropped / (curves.recorded + curves.dropped)
        text = f"{curves.dropped} frames ({share:.1%}) are missing by the times in the file"
        advice = "resample by time, as prepare does; record with fewer programs running"
        yield Finding(LOST_SHARE.level(share) or "note", "lost frames", clip, text, advice)
    twice = curves.doubled + curves.repeated
    if twice:
        share = twice / curves.recorded
        text = f"{twice} rows ({share:.1%}) repeat the row before while the face moves"
        advice = "export at the camera's own rate; another rate was filled up by doubling frames"
        yield Finding(TWICE_SHARE.level(share) or "note", "doubled frames", clip, text, advice)


def _frozen(clip: str, curves: CurveMeasures) -> Iterator[Finding]:
    if curves.frozen_s and len(curves.dead) < len(curves.mean):
        total_s = sum(end - start for start, end in curves.frozen_s)
        start, end = max(curves.frozen_s, key=lambda stretch: stretch[1] - stretch[0])
        more = f" and {len(curves.frozen_s) - 1} more" if len(curves.frozen_s) > 1 else ""
        text = f"frozen from {start:.2f} to {end:.2f} s{more}"
        advice = "cut the stretch out or leave the clip out: the tracker had lost the face"
        level = FROZEN_SHARE.level(total_s / curves.duration_s) or "warning"
        yield Finding(level, "frozen", clip, text, advice, place_s=tuple(curves.frozen_s))


def _channels(clip: str, curves: CurveMeasures) -> Iterator[Finding]:
    if curves.saturated:
        name, share = max(curves.saturated.items(), key=lambda item: item[1])
        if level := SATURATED_SHARE.level(share):
            text = f"{name} is cut off at its highest value in {share:.1%} of frames{_others(curves.saturated)}"
            yield Finding(level, "saturated", clip, text, "lower the tracker's gain or multiplier and export again")
    if curves.outside:
        name, stray = max(curves.outside.items(), key=lambda item: item[1])
        text = f"{name} strays {stray:.3f} beyond 0 or 1{_others(curves.outside)}"
        advice = "harmless up to about 0.1: trackers and resampling overshoot; beyond, export again without multipliers"
        yield Finding(OUTSIDE.level(stray) or "note", "out of range", clip, text, advice)
    rest = {name: value for name, value in curves.resting.items() if name not in EYE and REST.level(value)}
    if rest:
        text = f"{_largest(rest)} at rest{_others(rest)}"
        yield Finding("warning", "no rest", clip, text, "calibrate to the neutral face, or subtract it from the curves")
    neutral = {name: value for name, value in curves.neutral.items() if name not in EYE and NEUTRAL.level(value)}
    if neutral:
        text = f"the neutral pose has {_largest(neutral)}{_others(neutral)}"
        yield Finding("warning", "neutral", clip, text, "take it again with a relaxed face and closed lips")
    if level := JITTER.level(curves.jitter):
        text = f"the curves tremble by {curves.jitter:.3f} all the time"
        yield Finding(level, "jitter", clip, text, "more light on the face; or postprocess/smooth.py on the curves")


def _largest(values: dict[str, float]) -> str:
    name = max(values, key=lambda key: values[key])
    return f"{name} {values[name]:.2f}"


def _others(values: dict[str, float]) -> str:
    return f" ({len(values) - 1} more channels)" if len(values) > 1 else ""


def _together(clip: Measured) -> Iterator[Finding]:
    sound, curves = clip.sound, clip.curves
    assert sound is not None and curves is not None
    if sound.speech_s >= LEAST_SPEECH_S and set(JAW + MOUTH) <= set(curves.dead):
        yield Finding("error", "still mouth", clip.id, "speech, but the mouth never moves", "export again", "drop")
        return
    drift = drift_ms(clip)
    gap_s = curves.duration_s - sound.duration_s
    lengths = f"curves {curves.duration_s:.2f} s, sound {sound.duration_s:.2f} s"
    if level := GAP_S.level(abs(gap_s)):
        rate = likely_rate(clip)
        trims = rate is None and drift < DRIFT_MS and (level == "warning" or is_steady(clip))
        advice = "cut both to the common length" if trims else "find out which frames are missing, or leave it out"
        hint = ""
        if rate is not None:
            hint = f": {curves.frames} frames would be {rate:g} fps"
            advice = f"run again with --fps {rate:g} (and set data.source_fps)"
        yield Finding(level, "duration", clip.id, lengths + hint, advice, "trim" if trims else "")
    if drift >= DRIFT_MS:
        text = f"the lag is not one along the clip: it changes by {drift:.0f} ms"
        advice = "frames were lost or the rate is another: resample by the recording's times, or leave it out"
        yield Finding("error", "drift", clip.id, text, advice)
    elif clip.lag is not None and is_sure(clip) and (level := LAG_MS.level(abs(_fault_ms(clip)))):
        late = "late" if clip.lag.ms > 0 else "early"
        text = f"curves {abs(clip.lag.ms):.0f} ms {late} against the sound (r {clip.lag.correlation:.2f})"
        yield Finding(level, "lag", clip.id, text, "shift the curves by as much", "shift")
    elif clip.lag is not None and clip.lag.correlation < UNRELATED and sound.duration_s >= UNRELATED_S:
        text = f"the mouth does not follow the sound (r {clip.lag.correlation:.2f} at best)"
        yield Finding("warning", "unrelated", clip.id, text, "is this another clip's sound? look at the picture")
    if drift >= DRIFT_MS or clip.silence_motion is None:
        return
    if level := SILENCE_MOTION.level(clip.silence_motion):
        text = f"in silence the mouth moves at {clip.silence_motion:.0%} of its speed in speech"
        yield Finding(level, "moving in silence", clip.id, text, "does the sound lack speech? else cut the pauses")


def _common_lag(clips: Sequence[Measured]) -> Iterator[Finding]:
    lags = [_fault_ms(clip) for clip in clips if clip.lag is not None and is_sure(clip)]
    if len(lags) >= COMMON_CLIPS and abs(middle := float(np.median(lags))) >= COMMON_LAG_MS:
        text = f"curves {abs(middle):.0f} ms {'late' if middle > 0 else 'early'} in the median of {len(lags)} clips"
        yield Finding("warning", "common lag", "", text, "the recording set-up has a delay: shift all clips by as much")


def _rates(clips: Sequence[Measured]) -> Iterator[Finding]:
    rates = sorted({round(clip.curves.fps, 3) for clip in clips if clip.curves is not None})
    if len(rates) > 1:
        text = f"curves at {', '.join(f'{rate:g}' for rate in rates)} frames a second"
        yield Finding("warning", "rates", "", text, "bring all to one rate with data_process.prepare --out_fps")


def _dead(clips: Sequence[Measured]) -> Iterator[Finding]:
    dead = {clip.id: set(clip.curves.dead) for clip in clips if clip.curves is not None}
    if not dead:
        return
    everywhere = set.intersection(*dead.values())
    if everywhere:
        text = f"{len(everywhere)} of 52 channels never move in any clip"
        advice = "train the others only (model.channels), or expect zeros there"
        yield Finding("note", "dead channels", "", text, advice)
    counts = Counter(name for names in dead.values() for name in names)
    usual = {name for name, count in counts.items() if count > len(dead) / 5}
    for clip, names in dead.items():
        odd = sorted(names - usual)
        if odd and len(dead) >= 5:
            text = f"{odd[0]} never moves here, but does elsewhere{_others(dict.fromkeys(odd, 0.0))}"
            yield Finding("note", "dead channels", clip, text, "compare with the raw recording")


def _sides(clips: Sequence[Measured], sides: Sides) -> Iterator[Finding]:
    known = [clip for clip in clips if clip.curves is not None]
    likeness = _likeness_by_face(known, sides)
    for clip in known:
        assert clip.curves is not None
        gaze, sway = clip.curves.gaze, clip.curves.sway
        advice = "exchange the Left and Right columns if the raw recording or its video says so"
        if gaze is not None and gaze < OPPOSITE_GAZE:
            text = f"the eyes' channels go against the eyes' angles (r {gaze:.2f}): left and right are swapped"
            yield Finding("error", "sides", clip.id, text, advice)
        elif likeness.get(clip.id, 1.0) < OPPOSITE:
            text = f"suspect: the face is lopsided the other way than in other clips (cosine {likeness[clip.id]:.2f})"
            yield Finding("warning", "sides", clip.id, text, advice + "; another person's face may read so too")
        if sway is not None and sway < OPPOSITE:
            text = f"suspect: JawLeft/Right, MouthLeft/Right go against the mouth's corners (r {sway:.2f})"
            advice = "Live Link Face writes right before left: read by name, never by position"
            yield Finding("warning", "sides", clip.id, text, advice)
    blind = [clip.id for clip in known if clip.id not in likeness and clip.curves and clip.curves.gaze is None]
    if blind:
        text = f"in {len(blind)} of {len(known)} clips swapped sides would not show: no eye angles, and both sides move"
        text += f" alike or the face has fewer than {LEAST_CLIPS} clips"
        yield Finding("note", "sides", "", text, "look at one clip of each recording day beside its video")


def _likeness_by_face(known: Sequence[Measured], sides: Sides) -> dict[str, float]:
    """Clip → likeness of its asymmetry to its speaker's; clips of no named speaker are taken as one face's."""
    faces: dict[str, list[Measured]] = {}
    for clip in known:
        if clip.curves is not None and not clip.curves.mirrored:
            faces.setdefault(sides.speakers.get(clip.id, ""), []).append(clip)
    found: dict[str, float] = {}
    for members in faces.values():
        cosine = sides_likeness(np.array([clip.curves.asymmetry for clip in members if clip.curves is not None]))
        if cosine is not None:
            found |= dict(zip((clip.id for clip in members), cosine.tolist(), strict=True))
    return found


def _duplicates(clips: Sequence[Measured], sides: Sides) -> Iterator[Finding]:
    heard = [clip for clip in clips if clip.sound is not None and not clip.sound.silence]
    prints = [clip.sound.print for clip in heard if clip.sound is not None]
    for match in same_recordings(prints, SAME_SOUND) if prints else ():
        first, second = heard[match.first].id, heard[match.second].id
        across = sides.side(first) != sides.side(second)
        # Between the sides training loses the clip, so that scores stay comparable; else the later one goes.
        gone, kept = (first, second) if across and sides.side(first) == "train" else (second, first)
        offset_s = match.offset_s if gone == first else -match.offset_s
        text = (
            f"the same sound as {kept} ({match.share:.0%} of the fingerprint), which begins at {offset_s:+.2f} s of it"
        )
        where = " and validates: scores would be too good" if across else ""
        level = "error" if across else "warning"
        yield Finding(level, "duplicate", gone, text + where, "keep one of the two", "drop")


def _speakers(clips: Sequence[Measured], sides: Sides) -> Iterator[Finding]:
    spoken: dict[str, dict[str, int]] = {}
    for clip in clips:
        if clip.id in sides.speakers:
            of = spoken.setdefault(sides.speakers[clip.id], {"train": 0, "val": 0})
            of[sides.side(clip.id)] += 1
    for speaker, counts in sorted(spoken.items()):
        if all(counts.values()):
            text = f"{speaker} speaks in {counts['train']} training and {counts['val']} validation clips"
            advice = "put each speaker on one side, if the model shall speak for strangers"
            yield Finding("warning" if len(spoken) > 1 else "note", "speaker leakage", "", text, advice)


def _transcripts(clips: Sequence[Measured]) -> Iterator[Finding]:
    without = [clip.id for clip in clips if clip.files.tsv is None]
    if 0 < len(without) < len(clips):
        text = f"{len(without)} of {len(clips)} clips have no tsv, {without[0]} the first"
        yield Finding("note", "transcripts", "", text, "align them, or leave data.require_transcripts false")
