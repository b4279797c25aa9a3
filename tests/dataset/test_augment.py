"""Altered copies and masks, against sounds and curves whose answer is known, and the copies' database."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from scipy.signal import find_peaks, welch

from config.errors import UserError
from config.load import ROOT, load_config
from config.schema import Augment
from config.units import SAMPLE_RATE, frame_count
from dataset.augment import Alteration, alter, copies_name, copy_id, draw, impulse_response, masks, with_copies
from dataset.blendshapes import ARKIT
from dataset.clip import Clip
from dataset.store import ClipStore, write_store
from dataset.transcript import Word
from dataset.windows import epoch_batches, versions
from tests.helpers import logmel_encoder

FPS = 30.0
JAW = ARKIT.index("JawOpen")
ALL = Augment(copies=2, gain_db=6, noise_snr_db=(10, 30), reverb_s=(0.1, 0.4), speed=0.05)


def clip_of(audio: np.ndarray, name: str = "a", curves: np.ndarray | None = None, words: tuple[Word, ...] = ()) -> Clip:
    frames = frame_count(len(audio), FPS)
    motion = np.zeros((frames, len(ARKIT)), np.float32) if curves is None else curves
    return Clip(name, "d", FPS, audio.astype(np.int16), motion, words, "")


def noisy(seconds: float, level: float = 3000, seed: int = 0) -> np.ndarray:
    """(samples,) like a voice in that it is not white."""
    random = np.random.default_rng(seed)
    return np.convolve(random.normal(0, level, round(seconds * SAMPLE_RATE)), [0.6, 0.3, 0.1], "same").round()


def power_db(audio: np.ndarray) -> float:
    return 10 * np.log10(np.mean(np.square(audio, dtype=np.float64)))


def test_nothing_asked_for_is_nothing_done() -> None:
    clip = clip_of(noisy(1), words=(Word("x", 0.1, 0.3),))
    assert alter(clip, Alteration(seed=5)).to_bytes() == clip.to_bytes()
    assert alter(clip, draw(Augment(), np.random.default_rng(0))).to_bytes() == clip.to_bytes()


@pytest.mark.parametrize("gain_db", [-12.0, -0.5, 6.0])
def test_the_gain_is_exact(gain_db: float) -> None:
    clip = clip_of(noisy(2, level=2000))
    louder = alter(clip, Alteration(gain_db=gain_db)).audio
    assert np.abs(louder - clip.audio * 10 ** (gain_db / 20)).max() <= 0.5 + 1e-3
    assert power_db(louder) - power_db(clip.audio) == pytest.approx(gain_db, abs=1e-3)


def test_a_gain_that_would_clip_is_held_at_full_scale() -> None:
    clip = clip_of(noisy(1, level=6000))
    loud = alter(clip, Alteration(gain_db=30.0)).audio
    assert np.abs(loud).max() == 32767
    assert np.abs(loud - clip.audio * (32767 / np.abs(clip.audio).max())).max() <= 0.51


@pytest.mark.parametrize("kind", ["white", "pink"])
@pytest.mark.parametrize("snr_db", [0.0, 15.0, 30.0])
def test_the_noise_is_as_far_below_the_speech_as_asked(kind: Literal["white", "pink"], snr_db: float) -> None:
    clip = clip_of(noisy(3))
    noise = alter(clip, Alteration(noise=kind, snr_db=snr_db, seed=3)).audio.astype(float) - clip.audio
    assert power_db(clip.audio) - power_db(noise) == pytest.approx(snr_db, abs=0.01)
    frequency, density = welch(noise, SAMPLE_RATE, nperseg=2048)
    octaves = [10 * np.log10(density[(frequency >= low) & (frequency < 2 * low)].mean()) for low in (250, 1000, 3000)]
    falls = np.diff(octaves)
    expected = [0, 0] if kind == "white" else [-10 * np.log10(4), -10 * np.log10(3)]
    assert falls == pytest.approx(expected, abs=1)


def test_silence_gets_no_noise() -> None:
    clip = clip_of(np.zeros(SAMPLE_RATE))
    assert not alter(clip, Alteration(snr_db=10.0, reverb_s=0.2, reverb_share=0.3)).audio.any()


def test_reverberation_follows_the_sound_keeps_its_energy_and_dies_away() -> None:
    response = impulse_response(0.5, 0.3, np.random.default_rng(1))
    energy = np.square(response, dtype=np.float64)
    assert energy.sum() == pytest.approx(1, abs=1e-6)
    assert energy[1:].sum() == pytest.approx(0.3, abs=1e-6)
    slices = energy[1 : 1 + 10 * 800].reshape(10, 800).mean(axis=1)  # 50 ms each: 6 dB apart at 60 dB in 0.5 s
    slope = np.polyfit(np.arange(10), 10 * np.log10(slices), 1)[0]
    assert slope == pytest.approx(-6, abs=0.2)

    audio = np.zeros(SAMPLE_RATE)
    audio[5000] = 20000
    heard = alter(clip_of(audio), Alteration(reverb_s=0.2, reverb_share=0.3, seed=1)).audio.astype(float)
    assert not heard[:5000].any() and heard[5001:].any() and len(heard) == len(audio)
    assert heard[5000] == pytest.approx(20000 * np.sqrt(0.7), abs=1)
    assert np.square(heard).sum() == pytest.approx(20000**2, rel=0.01)


@pytest.mark.parametrize("speed", [0.9, 0.95, 1.0125, 1.05])
def test_curves_and_words_move_with_a_faster_or_slower_sound(speed: float) -> None:
    """Clicks, jaw peaks and words at the same times stay together, each where its time over the speed says."""
    times_s = np.array([0.4, 1.1, 2.3, 3.7, 5.2])
    audio = np.zeros(6 * SAMPLE_RATE)
    audio[(times_s * SAMPLE_RATE).round().astype(int)] = 25000
    curves = np.zeros((6 * 30, len(ARKIT)), np.float32)
    frame_s = np.arange(len(curves)) / FPS
    curves[:, JAW] = np.exp(-np.square((frame_s[:, None] - times_s) / 0.08)).sum(axis=1)
    words = tuple(Word("x", time, time + 0.2) for time in times_s.tolist())
    clip = replace(clip_of(audio, curves=curves, words=words), phones=words[1:])
    changed = alter(clip, Alteration(rate_hz=round(SAMPLE_RATE * speed)))

    assert len(changed.audio) == pytest.approx(len(audio) / speed, abs=1)
    assert len(changed.curves) == frame_count(len(changed.audio), FPS)
    assert changed.curves.dtype == np.float32 and changed.audio.dtype == np.int16
    clicks = find_peaks(np.abs(changed.audio.astype(float)), height=8000, distance=800)[0] / SAMPLE_RATE
    jaw = find_peaks(changed.curves[:, JAW], height=0.5)[0] / FPS
    assert clicks == pytest.approx(times_s / speed, abs=1e-3)
    assert jaw == pytest.approx(clicks, abs=1 / FPS)
    assert [word.start_s for word in changed.words] == pytest.approx(times_s / speed)
    assert [word.end_s for word in changed.words] == pytest.approx((times_s + 0.2) / speed)
    assert changed.phones == changed.words[1:]


def test_a_tone_at_another_speed_has_another_pitch() -> None:
    tone = 8000 * np.sin(2 * np.pi * 1000 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    fast = alter(clip_of(tone.round()), Alteration(rate_hz=16800)).audio
    frequency, density = welch(fast, SAMPLE_RATE, nperseg=8192)
    assert frequency[density.argmax()] == pytest.approx(1050, abs=2)


def test_what_is_drawn_follows_the_seed_alone_and_stays_in_bounds() -> None:
    drawn = [draw(ALL, np.random.default_rng(seed)) for seed in range(300)]
    assert drawn[7] == draw(ALL, np.random.default_rng(7)) and len(set(drawn)) == 300
    for values, low, high in (
        ([how.rate_hz / SAMPLE_RATE for how in drawn], 0.95, 1.05),
        ([how.gain_db for how in drawn], -6, 6),
        ([how.snr_db or 0 for how in drawn], 10, 30),
        ([how.reverb_s for how in drawn], 0.1, 0.4),
        ([how.reverb_share for how in drawn], 0, 0.3),
    ):
        span = high - low
        assert low <= min(values) < low + 0.02 * span and high - 0.02 * span < max(values) <= high
        assert np.mean(values) == pytest.approx((low + high) / 2, abs=0.06 * span)
    assert 100 < sum(how.noise == "pink" for how in drawn) < 200
    alone = draw(Augment(copies=1, gain_db=6), np.random.default_rng(7))
    assert alone == Alteration(gain_db=drawn[7].gain_db, noise=drawn[7].noise, seed=drawn[7].seed)


@pytest.fixture
def store(tmp_path: Path) -> ClipStore:
    clips = [clip_of(noisy(1 + 0.4 * number, seed=number), name) for number, name in enumerate("abc")]
    write_store(tmp_path / "clips.lmdb", ((clip, "train") for clip in clips), FPS)
    return ClipStore(tmp_path / "clips.lmdb")


def test_copies_are_clips_beside_the_stores_own(store: ClipStore, tmp_path: Path) -> None:
    train = [store.clips[0], store.clips[2]]
    both, copies = with_copies(store, train, ALL, 0, tmp_path / "run")
    assert [copy.id for copy in copies] == ["a~1", "c~1", "a~2", "c~2"]
    assert {clip.id for clip in both.clips} == {"a", "b", "c", *(copy.id for copy in copies)}
    for clip in store.clips:
        assert both[clip.id].to_bytes() == store[clip.id].to_bytes()
    for copy in copies:
        made = both[copy.id]
        assert (copy.domain, copy.folder, copy.frames) == ("d", "train", len(made.curves))
        assert len({info.audio_hash for info in both.clips}) == 7, "features are cached under it"
    assert [path.name for path in (tmp_path / "run").iterdir()] == [
        path.name for path in (tmp_path / "run").glob(copies_name("*"))
    ]


def test_copies_follow_the_seed_and_the_sound_and_are_made_once(
    store: ClipStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(folder: str, seed: int = 0, settings: Augment = ALL, clips: str = "ac") -> dict[str, bytes]:
        chosen = [clip for clip in store.clips if clip.id in clips]
        both, copies = with_copies(store, chosen, settings, seed, tmp_path / folder)
        return {copy.id: both[copy.id].to_bytes() for copy in copies}

    first = made("one")
    assert first == made("two")
    other = made("one", seed=1)
    assert all(first[name] != other[name] for name in first)
    fold = made("one", clips="ab")
    assert fold["a~1"] == first["a~1"], "whichever clips are beside it"
    one = made("one", settings=ALL.model_copy(update={"copies": 1}))
    assert one == {name: first[name] for name in ("a~1", "c~1")}
    from dataset import augment

    monkeypatch.setattr(augment, "alter", lambda *_: pytest.fail("made again"))
    assert made("one") == first and made("one", seed=1) == other


def test_the_copies_windows_that_stand_for_a_clips_own() -> None:
    # Two clips of 3 and 1 windows; copies of 5 and 1, then of 2 and 0.
    counts = [3, 1, 5, 1, 2, 0]
    examples = np.array([(clip, n, 5 * n) for clip, count in enumerate(counts) for n in range(count)])
    assert versions(examples, 2, 2).tolist() == [[0, 4, 10], [1, 6, 10], [2, 8, 11], [3, 9, 3]]
    assert versions(examples[:4], 2, 0).tolist() == [[0], [1], [2], [3]]
    assert versions(examples[:4], 2, 1).tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]], "copies without a window"


def test_an_epoch_hears_each_window_once_in_one_version() -> None:
    weights, alike = np.array([1.0] * 30 + [2.5] * 30), np.arange(240).reshape(60, 4)
    seen = np.zeros(240)
    for epoch in range(200):
        plain = epoch_batches(weights, 16, 3, epoch)
        assert plain == epoch_batches(weights, 16, 3, epoch, alike=np.arange(60)[:, None]), "nothing to choose from"
        chosen = epoch_batches(weights, 16, 3, epoch, alike=alike)
        assert [[item // 4 for item in batch] for batch in chosen] == plain
        np.add.at(seen, [item for batch in chosen for item in batch], 1)
    versions_seen = seen.reshape(60, 4)[:30].sum(axis=0)
    assert versions_seen == pytest.approx(1500, rel=0.1)
    halves = [epoch_batches(weights, 1000, 3, 0, process, 2, alike)[0] for process in (0, 1)]
    assert {item for half in halves for item in half} == set(epoch_batches(weights, 1000, 3, 0, alike=alike)[0])


def widths(hidden: np.ndarray) -> list[int]:
    """How many are hidden in each row, which must be side by side."""
    for row in hidden:
        places = np.flatnonzero(row)
        assert not len(places) or places[-1] - places[0] + 1 == len(places)
    return hidden.sum(axis=1).tolist()


def test_masks_have_the_widths_that_are_asked_for() -> None:
    def made(seed: int = 0, **settings: Any) -> np.ndarray:
        return masks(Augment(**settings), np.random.default_rng(seed), 400, 30, 20, 1, 1)

    assert not made().any()
    bands = made(band_mask_share=0.25)
    assert set(widths(bands[:, 0])) == set(range(6)) and (bands == bands[:, :1]).all()
    times = made(time_mask_frames=7)
    assert set(widths(times[:, :, 0])) == set(range(8)) and (times == times[:, :, :1]).all()
    firsts = times[:, :, 0].argmax(axis=1)
    assert firsts.max() > 20, "anywhere in the window"
    assert np.array_equal(made(band_mask_share=0.25, time_mask_frames=7, seed=4),
                          made(band_mask_share=0.25, time_mask_frames=7, seed=4))  # fmt: skip
    assert widths(made(time_mask_frames=99)[:, :, 0]) != [30] * 400, "at most the window"


@pytest.mark.parametrize(("steps_per_frame", "context_steps"), [(3, 6), (1, 1), (2, 0), (4, 2)])
def test_masks_of_stacked_features_hide_the_same_sound_in_every_frame(steps_per_frame: int, context_steps: int) -> None:
    """Sounds that differ in the hidden time or bands alone give features that differ only where they are hidden."""
    encoder = logmel_encoder(25, bands=8, steps_per_frame=steps_per_frame, context_steps=context_steps, window_ms=10)
    frames, stacked = 20, encoder.steps_stacked
    hidden = masks(
        Augment(time_mask_frames=6, band_mask_share=0.5), np.random.default_rng(0), 50, frames, 8, stacked,
        encoder.steps_per_frame,
    )  # fmt: skip
    # Number each (step, band) of a long spectrogram and stack it as the encoder does.
    grid = torch.arange((frames * steps_per_frame + stacked) * 8).reshape(-1, 8)
    numbers = grid.unfold(0, stacked, steps_per_frame)[:frames].transpose(1, 2).reshape(frames, -1)
    assert numbers.shape == hidden.shape[1:] and encoder.size == hidden.shape[2]
    for mask in hidden:
        gone = set(numbers[torch.from_numpy(mask)].tolist())
        assert not gone & set(numbers[torch.from_numpy(~mask)].tolist()), "what is hidden is hidden everywhere"
        central = mask.reshape(frames, stacked, 8)[:, stacked // 2]
        rows = np.flatnonzero(central.all(axis=1))
        assert len(rows) <= 6 and np.array_equal(rows, np.arange(len(rows)) + (rows[0] if len(rows) else 0))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("augment.gain_db=3",), "gain_db alters copies of the clips; give augment.copies 1 or more"),
        (("augment.copies=2",), "copies that nothing alters"),
        (("augment.copies=1", "augment.noise_snr_db=[30, 10]"), "noise_snr_db [30, 10]: the first is the lower end"),
        (("augment.copies=1", "augment.reverb_s=[0, 1]"), "augment.reverb_s.0: input should be greater than or equal"),
        (("augment.speeed=0.1",), "speeed: unknown key in augment; did you mean speed?"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(UserError) as error:
        load_config(ROOT / "config" / "default.yml", words)
    assert reason in str(error.value) and "\n" not in str(error.value)


def test_default_and_schema_agree() -> None:
    assert load_config(ROOT / "config" / "default.yml").augment == Augment()


def test_the_id_alone_is_not_what_alters(store: ClipStore, tmp_path: Path) -> None:
    renamed = replace(store["a"], id="z")
    write_store(tmp_path / "renamed.lmdb", [(renamed, "")], FPS)
    other = ClipStore(tmp_path / "renamed.lmdb")
    first = with_copies(store, store.clips[:1], ALL, 0, tmp_path / "one")[0][copy_id("a", 1)]
    second = with_copies(other, other.clips, ALL, 0, tmp_path / "two")[0][copy_id("z", 1)]
    assert np.array_equal(first.audio, second.audio) and np.array_equal(first.curves, second.curves)
