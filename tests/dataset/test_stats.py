import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT, FACE
from dataset.stats import Stats, compute_stats, load_stats, merged_stats, save_stats
from tests import helpers

refused = partial(helpers.refused_file, load_stats)


def clips(*lengths: int) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.random((length, 52)) for length in lengths]


def same(one: Stats, two: Stats) -> bool:
    return one.to_json() == two.to_json()


def test_streaming_equals_numpy_over_all_frames_at_once() -> None:
    curves = clips(7, 1, 230)
    stats = compute_stats(iter(curves), ["a", "b", "c"])
    everything = np.concatenate(curves)
    np.testing.assert_allclose(stats.mean, everything.mean(0), rtol=1e-13)
    np.testing.assert_allclose(stats.std, everything.std(0), rtol=1e-13)
    np.testing.assert_array_equal(stats.min, everything.min(0))
    np.testing.assert_array_equal(stats.max, everything.max(0))
    assert (stats.frames, stats.clips, stats.channels) == (238, ("a", "b", "c"), ARKIT)


def test_a_small_std_far_from_zero_survives() -> None:
    curves = [100 + 1e-6 * clip for clip in clips(400, 300)]
    stats = compute_stats(curves, ["a", "b"])
    np.testing.assert_allclose(stats.std, np.concatenate(curves).std(0), rtol=1e-6)


@pytest.mark.parametrize("level", [0.0, 0.1, 0.3])
def test_a_channel_that_never_moves_has_std_exactly_zero(level: float) -> None:
    curves = clips(1001, 333)
    for clip in curves:
        clip[:, 5] = level
    stats = compute_stats(curves, ["a", "b"])
    assert stats.std[5] == 0
    assert stats.mean[5] == stats.min[5] == stats.max[5] == level
    assert (np.delete(stats.std, 5) > 0).all()


def test_float32_curves_are_summed_in_float64() -> None:
    curves = [clip.astype(np.float32) for clip in clips(5000)]
    np.testing.assert_allclose(
        compute_stats(curves, ["a"]).mean, np.concatenate(curves).astype(np.float64).mean(0), rtol=1e-13
    )


def test_no_clip_is_refused_and_counts_must_agree() -> None:
    with pytest.raises(UserError, match="no training clips: stats need at least one"):
        compute_stats([], [])
    with pytest.raises(ValueError, match="zip"):
        compute_stats(clips(3), ["a", "b"])


def test_select_goes_by_name() -> None:
    stats = compute_stats(clips(9), ["a"])
    face = stats.select(FACE)
    assert face.channels == FACE
    assert face.max[FACE.index("JawOpen")] == stats.max[ARKIT.index("JawOpen")]


def test_saved_stats_come_back_bit_for_bit(tmp_path: Path) -> None:
    stats = compute_stats(clips(11, 4), ["a", "啊"])
    save_stats(tmp_path / "stats.json", stats)
    assert same(load_stats(tmp_path / "stats.json"), stats)
    assert [file.name for file in tmp_path.iterdir()] == ["stats.json"]


def test_a_checkpoint_and_an_ensemble_have_their_stats_beside_them(tmp_path: Path) -> None:
    stats = compute_stats(clips(11), ["a"])
    path = tmp_path / "best.safetensors"
    path.write_bytes(b"weights, which nobody reads here")
    assert helpers.refused(load_stats, path) == (
        f"{tmp_path}/stats.json: no such file; the stats of {path} stand there, where training wrote them"
    )
    save_stats(tmp_path / "stats.json", stats)
    assert load_stats(path) == load_stats(tmp_path) == stats


def test_merged_stats_are_those_of_all_frames() -> None:
    curves = clips(7, 1, 230)
    folds = [compute_stats([curves[i] for i in fold], ["abc"[i] for i in fold]) for fold in ((1, 2), (0, 2), (0, 1))]
    merged, whole = merged_stats(folds), compute_stats(curves, ["a", "b", "c"])
    for row in ("mean", "std", "min", "max"):
        np.testing.assert_allclose(getattr(merged, row), getattr(whole, row), rtol=1e-12)
    assert merged.clips == ("a", "b", "c") and merged.frames == 2 * whole.frames
    np.testing.assert_allclose(merged_stats([whole]).std, whole.std, rtol=1e-12)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json") == "no such file"
    (tmp_path / "text.json").write_bytes(b"\xff\xfe")
    assert refused(tmp_path / "text.json") == "not stats as training writes them: not UTF-8 text"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"channels": None}, "no channels"),
        ({"mean": None, "max": None}, "no mean, max"),
        ({"channels": ["Jaw"] * 52}, '"Jaw" is no ARKit blendshape'),
        ({"std": [0.5]}, "std is not 52 finite numbers"),
        ({"std": ["x"] * 52}, "std is not 52 finite numbers"),
        ({"max": [float("nan")] * 52}, "max is not 52 finite numbers"),
        ({"clips": 3}, "clips is not a list of names"),
        ({"std": [-0.5] * 52}, "a std is below 0, or a min above its max"),
        ({"mean": [True] * 52}, "mean is not 52 finite numbers"),
        ({"max": [10**400] * 52}, "max is not 52 finite numbers"),
        ({"channels": ["JawOpen"] * 52}, "a channel is there twice"),
        ({"frames": float("inf")}, "frames is no whole number from 0 on"),
    ],
)
def test_stats_that_are_damaged(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    fields = json.loads(compute_stats(clips(3), ["a"]).to_json()) | change
    path = tmp_path / "stats.json"
    path.write_text(json.dumps({name: value for name, value in fields.items() if value is not None}))
    assert refused(path) == f"not stats as training writes them: {reason}"


@pytest.mark.parametrize("text", ["", "hello", "[1, 2]", "3"])
def test_text_that_is_no_stats(tmp_path: Path, text: str) -> None:
    path = tmp_path / "stats.json"
    path.write_text(text)
    assert refused(path).startswith("not stats as training writes them: ")


def test_a_channel_counts_where_it_is_captured() -> None:
    curves = clips(7, 5, 230)
    captured = np.ones((3, 52), bool)
    captured[1, 3] = captured[:2, 4] = captured[:, 5] = False
    stats = compute_stats(curves, ["a", "b", "c"], captured)
    of_three = np.concatenate([curves[0][:, 3], curves[2][:, 3]])
    rows = [stats.mean, stats.std, stats.min, stats.max]
    assert [row[3] for row in rows] == pytest.approx([of_three.mean(), of_three.std(), of_three.min(), of_three.max()])
    of_four = curves[2][:, 4]
    assert [row[4] for row in rows] == pytest.approx([of_four.mean(), of_four.std(), of_four.min(), of_four.max()])
    assert [row[5] for row in rows] == [0, 0, 0, 0]
    everywhere = compute_stats(curves, ["a", "b", "c"])
    assert all(np.array_equal(getattr(stats, row)[6:], getattr(everywhere, row)[6:]) for row in ("mean", "std", "min"))
    assert stats.frames == 242 and compute_stats(curves, ["a", "b", "c"], captured | True) == everywhere
    based = compute_stats(curves, ["a", "b", "c"], captured, base=compute_stats(clips(9), ["d"]).select(ARKIT[::-1]))
    assert based.mean[5] == pytest.approx(clips(9)[0][:, 5].mean(), rel=1e-15)
    assert np.array_equal(based.std[:5], stats.std[:5])
