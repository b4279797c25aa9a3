"""Clips cut into examples, and the epoch's order: against what is written out by hand."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from config.schema import Windows
from dataset import store
from dataset.blendshapes import ARKIT, FACE
from dataset.clip import Clip
from dataset.feature_store import FeatureStore, feature_key
from dataset.stats import compute_stats
from dataset.store import ClipStore, write_store
from dataset.text_units import NONE, PAUSE, UNITS
from dataset.transcript import Word
from dataset.windows import Batch, WindowDataset, cut, epoch_batches, fade_weights, tokens_in, window_starts

LENGTHS = {"a": 23, "b": 6, "c": 40}  # frames
DOMAINS = {"a": "zh", "b": "en", "c": "en"}
SIZE = 3  # of the features
FLAT = ARKIT.index("BrowInnerUp")


@pytest.mark.parametrize(
    ("frames", "window", "stride", "starts"),
    [
        (1, 55, 10, [0]),
        (54, 55, 10, [0]),
        (55, 55, 10, [0]),
        (56, 55, 10, [0, 1]),
        (65, 55, 10, [0, 10]),
        (80, 55, 10, [0, 10, 20, 25]),
        (10, 4, 100, [0, 6]),
        (9, 3, 3, [0, 3, 6]),
    ],
)
def test_windows_start_a_stride_apart_and_the_tail_is_used(
    frames: int, window: int, stride: int, starts: list[int]
) -> None:
    assert window_starts(frames, window, stride).tolist() == starts


def test_a_cut_holds_the_last_frame_past_the_end() -> None:
    frames = np.arange(10).reshape(5, 2)
    assert np.array_equal(cut(frames, 1, 3), frames[1:4])
    assert cut(frames, 3, 4).tolist() == [[6, 7], [8, 9], [8, 9], [8, 9]]
    assert cut(frames[:1], 0, 3).tolist() == [[0, 1]] * 3


def test_a_token_counts_where_it_sounds_in_part() -> None:
    words = [Word("a", 0, 1), Word("b", 1, 2), Word("c", 2.5, 3)]
    assert [tokens_in(words, *span) for span in ((0, 1), (0.9, 1.1), (1.2, 1.3), (2, 2.5), (0, 9))] == [1, 2, 1, 0, 3]


def key_of(name: str, per_window: bool = False) -> str:
    return feature_key("an encoder", "windows" if per_window else "clips", name)


class ThreeClips:
    """Three clips at 10 fps of two domains, with curves and features that say where they come from."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(0)
        self.curves = {name: random.random((length, 52), np.float32) for name, length in LENGTHS.items()}
        for curves in self.curves.values():
            curves[:, FLAT] = 0.25
        self.cache = FeatureStore(folder / "features")
        self.features = {name: random.normal(size=(length, SIZE)) for name, length in LENGTHS.items()}
        clips = [self.clip(name) for name in LENGTHS]
        write_store(folder / "clips.lmdb", ((clip, "") for clip in clips), 10.0)
        self.store = ClipStore(folder / "clips.lmdb")
        for name, features in self.features.items():
            self.cache[key_of(name)] = features
        self.stats = compute_stats(self.curves.values(), self.curves)

    def clip(self, name: str) -> Clip:
        words = tuple(Word("x", second, second + 0.1) for second in (0.05, 0.35, 2.05)) if name != "b" else ()
        audio = np.zeros(1600 * LENGTHS[name], np.int16)
        return Clip(name, DOMAINS[name], 10.0, audio, self.curves[name], words, "")

    def dataset(
        self,
        min_tokens: int = 0,
        scale: str = "channel",
        channels: tuple[str, ...] = ARKIT,
        per_window: bool = False,
        with_text: bool = False,
    ) -> WindowDataset:
        windows = Windows(window_frames=10, stride_frames=5, min_tokens=min_tokens)
        keys, stats = {name: key_of(name, per_window) for name in LENGTHS}, self.stats.select(channels)
        clips, domains = self.store.clips, ("zh", "en")
        return WindowDataset(self.store, self.cache, keys, clips, domains, windows, stats, scale, per_window, with_text)


@pytest.fixture
def corpus(tmp_path: Path) -> ThreeClips:
    return ThreeClips(tmp_path)


def arrays(batch: Batch[np.ndarray]) -> list[np.ndarray]:
    return [batch.features, batch.target, batch.domain]


EXAMPLES = [("a", start) for start in (0, 5, 10, 13)] + [("b", 0)] + [("c", start) for start in range(0, 31, 5)]


def test_every_window_of_every_clip_is_an_example(corpus: ThreeClips) -> None:
    dataset = corpus.dataset(channels=FACE)
    assert len(dataset) == len(EXAMPLES)
    batch = dataset.__getitems__(range(len(dataset)))
    assert batch.features.shape == (12, 10, SIZE)
    assert batch.target.shape == (12, 10, 37)
    assert [array.dtype for array in arrays(batch)] == [np.float16, np.float32, np.int64]
    assert batch.domain.tolist() == [0] * 4 + [1] * 8
    std = np.where(corpus.stats.std > 0, corpus.stats.std, 1)
    normal = {name: (curves - corpus.stats.mean) / std for name, curves in corpus.curves.items()}
    for number, (name, start) in enumerate(EXAMPLES):
        rows = np.minimum(np.arange(start, start + 10), LENGTHS[name] - 1)
        expected = normal[name][rows][:, [ARKIT.index(channel) for channel in FACE]]
        np.testing.assert_allclose(batch.target[number], expected, atol=1e-5)
        assert np.array_equal(batch.features[number], corpus.features[name][rows].astype(np.float16))


def test_items_come_in_the_order_asked_for(corpus: ThreeClips) -> None:
    dataset = corpus.dataset()
    everything = dataset.__getitems__(range(12))
    some = dataset.__getitems__([11, 0, 4, 0])
    for whole, part in zip(arrays(everything), arrays(some), strict=True):
        assert np.array_equal(part, whole[[11, 0, 4, 0]])


@pytest.mark.parametrize("scale", ["channel", "common"])
def test_normalising_and_back_is_exact_and_a_flat_channel_is_zero(corpus: ThreeClips, scale: str) -> None:
    target = corpus.dataset(scale=scale).__getitems__([0]).target[0]
    assert not target[:, FLAT].any()
    back = target * corpus.stats.scale(scale) + corpus.stats.mean
    np.testing.assert_allclose(back, corpus.curves["a"][:10], atol=1e-6)


def test_the_token_filter_goes_by_what_sounds_in_the_window(corpus: ThreeClips) -> None:
    # Tokens at 0.05-0.15, 0.35-0.45 and 2.05-2.15 s; a window of 1 s starts every 0.5 s; b has no words.
    def kept(min_tokens: int) -> list[tuple[str, int]]:
        examples = corpus.dataset(min_tokens).examples
        return [(corpus.store.clips[clip].id, start) for clip, _, start in examples]

    assert kept(1) == [("a", 0), ("a", 13), ("c", 0), ("c", 15), ("c", 20)]
    assert kept(2) == [("a", 0), ("c", 0)]
    with pytest.raises(UserError, match=r"clips.lmdb: no window has 3 tokens; see windows.min_tokens"):
        corpus.dataset(3)


def test_features_of_each_window_on_its_own(corpus: ThreeClips) -> None:
    random = np.random.default_rng(1)
    windows = {name: random.normal(size=(sum(n == name for n, _ in EXAMPLES), 10, SIZE)) for name in LENGTHS}
    for name, features in windows.items():
        corpus.cache[key_of(name, per_window=True)] = features
    everything = np.concatenate(list(windows.values())).astype(np.float16)
    assert np.array_equal(corpus.dataset(per_window=True).__getitems__(range(12)).features, everything)
    filtered = corpus.dataset(min_tokens=1, per_window=True)  # a's last window stays its fourth
    assert np.array_equal(filtered.__getitems__([0, 1, 2, 3, 4]).features, everything[[0, 3, 5, 8, 9]])


def test_what_is_said_is_cut_like_the_curves(corpus: ThreeClips) -> None:
    # The letter x at 0.05-0.15, 0.35-0.45 and 2.05-2.15 s of a and c, at 10 fps; b has no transcript.
    x, said = UNITS.index("x"), (1, 4, 21)
    dataset = corpus.dataset(with_text=True)
    plain, batch = corpus.dataset().__getitems__(range(12)), dataset.__getitems__(range(12))
    assert plain.unit is None and plain.position is None
    assert batch.unit is not None and batch.position is not None
    assert (batch.unit.dtype, batch.position.dtype) == (np.uint8, np.float32)
    for number, (name, start) in enumerate(EXAMPLES):
        rows = np.minimum(np.arange(start, start + 10), LENGTHS[name] - 1)
        spoken = [row in said and name != "b" for row in rows]
        silence = NONE if name == "b" else PAUSE
        assert batch.unit[number].tolist() == [x if there else silence for there in spoken]
        np.testing.assert_allclose(batch.position[number], [0.5 if there else 0 for there in spoken], atol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_torch_loader_gives_the_same_batches_with_workers(corpus: ThreeClips, workers: int) -> None:
    from torch.utils.data import DataLoader

    dataset = corpus.dataset()
    batches = epoch_batches(np.ones(12), 5, seed=0, epoch=0)
    expected = [dataset.__getitems__(batch) for batch in batches]  # the parent has the databases open
    loader = DataLoader(dataset, batch_sampler=batches, collate_fn=lambda batch: batch, num_workers=workers)  # type: ignore[arg-type,var-annotated]
    for got, wanted in zip(loader, expected, strict=True):
        assert isinstance(got, Batch)
        assert all(np.array_equal(one, two) for one, two in zip(arrays(got), arrays(wanted), strict=True))


def seen(batches: list[list[int]]) -> Counter[int]:
    return Counter(example for batch in batches for example in batch)


def test_an_epoch_is_a_pure_function_of_seed_and_epoch() -> None:
    weights = np.full(50, 1.5)
    first = epoch_batches(weights, 8, seed=1, epoch=2)
    assert first == epoch_batches(weights, 8, seed=1, epoch=2)
    others = [epoch_batches(weights, 8, seed, epoch) for seed, epoch in ((1, 3), (2, 2), (2, 1), (1, 1))]
    assert all(other != first for other in others)
    assert first != sorted(first)


def test_weight_one_sees_every_example_once_and_three_exactly_three_times() -> None:
    for epoch in range(5):
        batches = epoch_batches(np.array([3.0] * 10 + [1.0] * 25), 8, seed=0, epoch=epoch)
        assert seen(batches) == {**dict.fromkeys(range(10), 3), **dict.fromkeys(range(10, 35), 1)}
        assert [len(batch) for batch in batches] == [8] * 6 + [7]


def test_a_fraction_is_the_odds_of_one_more() -> None:
    weights = np.array([0.25] * 200 + [1.5] * 200)
    counts = [seen(epoch_batches(weights, 64, seed=0, epoch=epoch)) for epoch in range(50)]
    times = np.array([[count[example] for example in range(400)] for count in counts])
    assert set(times[:, :200].flat) == {0, 1}
    assert set(times[:, 200:].flat) == {1, 2}
    assert times[:, :200].mean() == pytest.approx(0.25, abs=0.02)  # 10,000 draws: 4 standard deviations
    assert times[:, 200:].mean() == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize(("examples", "processes"), [(64, 2), (101, 4), (3, 4), (1, 3)])
def test_processes_share_an_epoch_equally(examples: int, processes: int) -> None:
    shares = [epoch_batches(np.ones(examples), 4, 0, 0, process, processes) for process in range(processes)]
    lengths = [[len(batch) for batch in share] for share in shares]
    assert all(length == lengths[0] for length in lengths)
    together = sum((seen(share) for share in shares), Counter())
    assert set(together) == set(range(examples))
    assert sum(together.values()) - examples < processes


@pytest.mark.parametrize(("window", "overlap"), [(20, 0), (20, 1), (20, 10), (55, 27), (55, 20), (2, 1)])
def test_fades_of_neighbours_sum_to_one(window: int, overlap: int) -> None:
    weights = fade_weights(window, overlap)
    assert (weights > 0).all() and (weights <= 1).all() and (np.diff(weights[:overlap]) > 0).all()
    np.testing.assert_allclose(weights[window - overlap :] + weights[:overlap], 1)
    np.testing.assert_array_equal(weights[overlap : window - overlap], 1)


def test_a_batch_says_which_channels_an_example_captures(corpus: ThreeClips, tmp_path: Path) -> None:
    assert corpus.dataset().__getitems__(range(12)).captured is None
    channels = {"a": ARKIT, "b": tuple(name for name in ARKIT if name != "MouthClose"), "c": ARKIT}
    clips = [replace(corpus.clip(name), channels=channels[name]) for name in LENGTHS]
    write_shards = {number: tmp_path / f"masked-{number:05}-of-00002.lmdb" for number in range(2)}
    store.write_shards(write_shards, ((n % 2, store.to_record(clip, "")) for n, clip in enumerate(clips)), 10.0)
    corpus.store = ClipStore(tmp_path / "masked.lmdb")
    batch = corpus.dataset(channels=FACE).__getitems__([0, 4, 5])  # of a, b and c
    assert batch.captured is not None and batch.captured.shape == (3, 37)
    assert np.argwhere(~batch.captured).tolist() == [[1, FACE.index("MouthClose")]]
    assert corpus.dataset(channels=FACE).__getitems__([0, 5]).captured is None
    moved = batch.map(np.copy).captured
    assert moved is not None and np.array_equal(moved, batch.captured)
