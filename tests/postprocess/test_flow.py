"""Steps on frames as they come: those of the whole file, however sound and frames are cut, and no later than said."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.units import SAMPLE_RATE
from dataset.audio import read_audio
from dataset.blendshapes import ANGLES, ARKIT, EYE, FACE, indices
from dataset.recordings.recording import Recording
from dataset.stats import compute_stats, save_stats
from postprocess.chain import live_steps, read_chain
from postprocess.flow import Flow, Frames, Live, joined
from postprocess.one_euro import one_euro
from postprocess.send.post_processed import PostProcessed
from postprocess.steps import Selection, Step
from tests.helpers import DEMO, refused
from tests.loud_jaw import JAW, LoudJaw

FPS, SECONDS = 30.0, 2.0
FRAMES = round(FPS * SECONDS)
STREAMING = {
    "smooth": "smooth: {window: 9, order: 4}",
    "smooth of a parabola": "smooth: {window: 5, order: 2}",
    "one_euro": "one_euro: {min_cutoff: 1.5, beta: 3.0}",
    "gain": "gain: {table: {JawOpen: {gain: 1.4, offset: 0.1}, mouth: {gain: 0.7}}}",
    "symmetrise": "symmetrise: {by: max, share: 0.7}",
    "deflate": "deflate: {span: training, ceilings: FOLDER/stats.json}",
    "gate": "gate: {wav_path: FOLDER/a.wav}",
    "enliven": "enliven: {wav_path: FOLDER/a.wav, seed: 4}",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a.wav, 2 s of a voice with a pause in it, and stats.json."""
    import soundfile

    folder = tmp_path_factory.mktemp("flow")
    sound = read_audio(DEMO / "wav" / "en_001.flac")[: round(SECONDS * SAMPLE_RATE)].copy()
    sound[SAMPLE_RATE // 2 : SAMPLE_RATE] = 0
    soundfile.write(folder / "a.wav", sound, SAMPLE_RATE)
    save_stats(folder / "stats.json", compute_stats([np.linspace(0.05, np.linspace(0.4, 0.9, 52), 30)], ["a"]))
    return folder


def step_of(folder: Path, line: str) -> Step:
    path = folder / "post.yml"
    path.write_text(f"steps: [{{{line.replace('FOLDER', folder.as_posix())}}}]", encoding="utf-8")
    (step,) = read_chain(path)
    return step


def face() -> np.ndarray:
    """(FRAMES, 52): a mouth that moves, an upper face that does not."""
    values = np.zeros((FRAMES, len(ARKIT)))
    mouth = indices(ARKIT, FACE[:20])
    values[:, mouth] = 0.2 + 0.6 * np.random.default_rng(2).random((FRAMES, 20))
    return values


def of_file(step: Step, folder: Path, values: np.ndarray) -> np.ndarray:
    recording = Recording(ARKIT, values, np.arange(len(values)) / FPS, FPS, {}, "arkit")
    return step.change(Selection(folder / "a.csv", recording, step.wanted))


def opened(step: Step, folder: Path, values: np.ndarray) -> tuple[Flow, Frames]:
    """A step at work, and all that it will be given."""
    assert isinstance(step.live, Live)
    recording = Recording(ARKIT, values, None, FPS, {}, "arkit")
    opening = Selection(folder / "a.csv", recording, step.wanted).opening(FPS)
    own = np.pad(values[:, indices(ARKIT, step.wanted)], ((0, 0), (0, len(step.turns))))
    return step.live.begin(opening), Frames(np.arange(len(values)) / FPS, own)


def cuts(size: int, seed: int) -> Iterator[slice]:
    """Of so many frames or samples, unevenly, empty ones too."""
    random = np.random.default_rng(seed)
    edges = [0, *np.sort(random.integers(0, size, 1 + seed * 7)), size]
    yield from map(slice, edges[:-1], edges[1:])


@pytest.mark.parametrize("name", STREAMING)
def test_every_cut_gives_the_file_s_curves(name: str, folder: Path) -> None:
    values, sound = face(), read_audio(folder / "a.wav")
    step = step_of(folder, STREAMING[name])
    whole = of_file(step, folder, values)
    assert whole.shape == (FRAMES, len(step.wanted) + len(step.turns))
    assert np.abs(whole[:, : len(step.wanted)] - values[:, indices(ARKIT, step.wanted)]).max() > 0.01
    for seed in range(4):
        flow, frames = opened(step, folder, values)
        told, heard = [], list(cuts(len(sound), seed + 3))
        for number, some in enumerate(cuts(FRAMES, seed)):
            if number < len(heard):
                flow.hear(sound[heard[number]])
            told.append(flow.push(frames.cut(some)))
        for rest in heard[number + 1 :]:
            flow.hear(sound[rest])
            told.append(flow.push(Frames()))
        changed = joined(*told, flow.flush())
        np.testing.assert_array_equal(changed.times_s, frames.times_s)
        np.testing.assert_allclose(changed.values, whole, atol=1e-6)


@pytest.mark.parametrize("name", STREAMING)
def test_a_step_waits_no_longer_than_it_says(name: str, folder: Path) -> None:
    step, sound = step_of(folder, STREAMING[name]), read_audio(folder / "a.wav")
    flow, frames = opened(step, folder, face())
    assert isinstance(step.live, Live)
    told = heard = 0
    for number in range(FRAMES - 10):  # the sound that the last ones wait for does not come
        until = round((number / FPS + step.live.sound_s) * SAMPLE_RATE)
        flow.hear(sound[heard:until])
        told, heard = told + len(flow.push(frames.cut(slice(number, number + 1))).times_s), until
        assert told == max(0, number + 1 - step.live.frames)


def test_a_live_stream_is_its_file(folder: Path) -> None:
    """Several steps, one after the other, whatever the blocks; a channel that a step does not touch waits as well."""
    sound = read_audio(folder / "a.wav")
    path = folder / "live.yml"
    path.write_text("steps: [smooth: {window: 5, order: 2, channels: [JawOpen]}, gate, enliven: {mood: 'joy:0.4'}]")
    told: dict[int, list[Any]] = {}
    for size in (160, 1999):
        stream = PostProcessed(LoudJaw(), live_steps(path, {"seed": 3}), "a")
        heard = [frame for first in range(0, len(sound), size) for frame in stream.push(sound[first : first + size])]
        told[size] = [*heard, *stream.flush()]
    plain = LoudJaw()
    jaw = np.array([frame[1][JAW] for frame in plain.push(sound) + plain.flush()])
    for frames in told.values():
        np.testing.assert_allclose([frame[0] for frame in frames], np.arange(len(jaw)) / LoudJaw.fps)
        np.testing.assert_allclose([frame[1] for frame in frames], [frame[1] for frame in told[160]], atol=1e-6)
        np.testing.assert_allclose([frame[2] for frame in frames], [frame[2] for frame in told[160]], atol=1e-6)
    values, degrees = (np.array([frame[part] for frame in told[160]]) for part in (1, 2))
    assert np.corrcoef(values[:, JAW], jaw)[0, 1] > 0.5 and np.abs(values[:, JAW] - jaw).max() > 0.01
    assert np.ptp(values[:, indices(ARKIT, EYE)], axis=0).max() > 0.05
    assert 0.5 < np.ptp(degrees[:, ANGLES.index("HeadYaw")]) < 60
    assert stream.lookahead_ms == pytest.approx(210)  # enliven's, which the jaw's 40 ms and two frames lie within


def test_another_sound_of_a_stream_has_a_face_of_its_own(folder: Path) -> None:
    path, sound = folder / "again.yml", read_audio(folder / "a.wav")
    path.write_text("steps: [enliven]")

    def eyes(stream: PostProcessed) -> np.ndarray:
        return np.array([frame[1][indices(ARKIT, EYE)] for frame in [*stream.push(sound), *stream.flush()]])

    stream, same = (PostProcessed(LoudJaw(), live_steps(path), "a") for _ in range(2))
    first, second = eyes(stream), eyes(stream)
    np.testing.assert_array_equal(first, eyes(same))
    assert np.abs(first - second).max() > 0.05
    other = PostProcessed(LoudJaw(), live_steps(path, {"seed": 1}), "a")
    assert np.abs(first - eyes(other)).max() > 0.05


def test_what_takes_a_whole_clip_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "post.yml"
    path.write_text("steps: [deflate, smooth]")
    assert [step.done for step in live_steps(path)] == ["smoothed"]
    assert capsys.readouterr().err == (
        f"{path}, step 1: is left out of a live face: deflate takes the range of the whole clip; span: training\n"
    )
    path.write_text("steps: [deflate]")
    assert refused(live_steps, path) == (
        f"{path}: none of its steps runs on a live face; config/post.yml names those that do"
    )


def test_one_euro_is_that_of_its_paper() -> None:
    """Casiez, Roussel & Vogel 2012, algorithm 1, a number at a time."""
    random = np.random.default_rng(0)
    times_s = np.cumsum(random.uniform(0.02, 0.05, 60))
    curves = random.random((60, 2))
    found = one_euro(curves, times_s, 1.2, 0.7)

    def alpha(cutoff: float, period: float) -> float:
        tau = 1 / (2 * np.pi * cutoff)
        return float(1 / (1 + tau / period))

    for column in (0, 1):
        value, speed = curves[0, column], 0.0
        for now in range(1, 60):
            period = times_s[now] - times_s[now - 1]
            change = (curves[now, column] - value) / period
            speed = alpha(1.0, period) * change + (1 - alpha(1.0, period)) * speed
            share = alpha(1.2 + 0.7 * abs(speed), period)
            value = share * curves[now, column] + (1 - share) * value
            assert found[now, column] == pytest.approx(value, abs=1e-12)


def gated(sound: np.ndarray, frames: int, folder: Path, line: str = "gate") -> np.ndarray:
    """(frames,) what becomes of a wide open jaw."""
    import soundfile

    soundfile.write(folder / "a.wav", sound, SAMPLE_RATE)
    step = step_of(folder, f"{line}: {{wav_path: FOLDER/a.wav}}")
    changed = of_file(step, folder, np.ones((frames, len(ARKIT))))
    return changed[:, step.wanted.index("JawOpen")]


def noise(seconds: float, level_db: float) -> np.ndarray:
    samples = round(seconds * SAMPLE_RATE)
    return 10 ** (level_db / 20) * np.random.default_rng(0).standard_normal(samples)


def test_a_gated_mouth_rests_soon_after_speech_and_does_not_chatter(tmp_path: Path) -> None:
    times_s = np.arange(300) / FPS
    sound = noise(10.0, -45.0)
    sound[: 2 * SAMPLE_RATE] += noise(2.0, -20.0)
    sound[5 * SAMPLE_RATE : 5 * SAMPLE_RATE + 4800] += noise(0.3, -20.0) * np.linspace(0, 1, 4800) ** 2
    jaw = gated(sound, 300, tmp_path)
    assert (jaw[times_s < 2.0] == 1).all() and jaw[(times_s >= 2.15) & (times_s < 4.9)].max() <= 0.02
    assert jaw[times_s >= 5.45].max() <= 0.02
    begins = times_s[jaw > 0][np.flatnonzero(times_s[jaw > 0] > 3)[0]]
    assert begins < 5.1 and (jaw[(times_s >= begins) & (times_s < 5.3)] == 1).all()  # -40 dB is met at 5.095 s


def test_a_gate_bridges_a_stop(tmp_path: Path) -> None:
    sound = noise(1.0, -20.0)
    sound[8000:9760] = 0  # 110 ms
    assert (gated(sound, 30, tmp_path) == 1).all()
