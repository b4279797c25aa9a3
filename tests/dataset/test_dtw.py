"""The distances against a naive DTW and the fastdtw package."""

import fastdtw as package
import numpy as np
import pytest

from dataset.dtw import exact_dtw, fastdtw
from tests.dtw_references import CHANNELS, LENGTHS, mean_squared_error, naive_dtw, random_walk


def assert_is_warping_path(path: np.ndarray, n: int, m: int) -> None:
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [n - 1, m - 1]
    assert {tuple(step) for step in np.diff(path, axis=0)} <= {(0, 1), (1, 0), (1, 1)}


def path_cost(x: np.ndarray, y: np.ndarray, path: np.ndarray) -> float:
    return sum(mean_squared_error(x[i], y[j]) for i, j in path)


def assert_equals_package(x: np.ndarray, y: np.ndarray, radius: int = 1) -> None:
    expected, expected_path = package.fastdtw(x, y, radius=radius, dist=mean_squared_error)
    cost, path = fastdtw(x, y, radius)
    assert cost == expected
    assert list(map(tuple, path)) == expected_path


@pytest.mark.parametrize("radius", [1, 2, 5])
@pytest.mark.parametrize(("n", "m"), [*LENGTHS, (3, 3), (5, 4), (100, 37), (127, 128), (2, 60), (61, 3)])
def test_fastdtw_is_the_package_on_random_curves(n: int, m: int, radius: int) -> None:
    generator = np.random.default_rng(n * 1000 + m)
    assert_equals_package(generator.random((n, CHANNELS)), generator.random((m, CHANNELS)), radius)
    assert_equals_package(random_walk(generator, n), random_walk(generator, m), radius)


@pytest.mark.parametrize("n", range(1, 6))
@pytest.mark.parametrize("m", range(1, 6))
def test_fastdtw_is_the_package_on_a_few_frames(n: int, m: int) -> None:
    generator = np.random.default_rng(n * 10 + m)
    for _ in range(5):
        assert_equals_package(generator.random((n, CHANNELS)), generator.random((m, CHANNELS)))
        assert_equals_package(generator.integers(0, 2, (n, 3)), generator.integers(0, 2, (m, 3)))


def test_fastdtw_is_the_package_on_smooth_curves() -> None:
    time = np.linspace(0, 6, 200)[:, None]
    phase = np.arange(CHANNELS)[None, :] / 5
    assert_equals_package(np.sin(3 * time + phase), np.sin(3 * time**1.1 + phase)[:170])


@pytest.mark.parametrize("seed", range(10))
def test_fastdtw_is_the_package_where_many_paths_tie(seed: int) -> None:
    generator = np.random.default_rng(seed)
    n, m = generator.integers(20, 90, 2)
    zeros = np.zeros((n, CHANNELS))
    constant = np.full((m, CHANNELS), 0.3)
    coarse = generator.integers(0, 3, (n, 2)).astype(float)
    repeated = np.repeat(generator.random((m // 4 + 1, CHANNELS)), 4, axis=0)
    decimals = np.round(random_walk(generator, n) / 50, 1)
    for x in (zeros, decimals):
        for y in (np.zeros((m, CHANNELS)), constant, repeated, np.round(repeated, 1), x[::-1], x):
            assert_equals_package(x, y)
            assert_equals_package(y, x)
    assert_equals_package(coarse, generator.integers(0, 3, (m, 2)))


@pytest.mark.parametrize("channels", [1, 2, 7, 8, 9, 16, 52, 128])
def test_fastdtw_is_the_package_for_any_number_of_channels(channels: int) -> None:
    generator = np.random.default_rng(channels)
    assert_equals_package(random_walk(generator, 60, channels), random_walk(generator, 50, channels))


@pytest.mark.parametrize(("n", "m"), LENGTHS)
def test_exact_dtw_is_naive_dtw_and_the_package(n: int, m: int) -> None:
    generator = np.random.default_rng(n * 1000 + m)
    x, y = random_walk(generator, n), random_walk(generator, m)
    cost, path = exact_dtw(x, y)
    assert_is_warping_path(path, n, m)
    assert cost == pytest.approx(naive_dtw(x, y), rel=1e-12)
    assert cost == pytest.approx(path_cost(x, y, path), rel=1e-12)
    expected, expected_path = package.dtw(x, y, dist=mean_squared_error)
    assert cost == expected
    assert list(map(tuple, path)) == expected_path


def test_fastdtw_of_a_long_recording_is_a_warping_path_not_below_the_exact_one() -> None:
    generator = np.random.default_rng(1)
    x, y = random_walk(generator, 36_000, 4), random_walk(generator, 35_000, 4)
    cost, path = fastdtw(x, y)
    assert_is_warping_path(path, len(x), len(y))
    assert cost == pytest.approx(np.mean((x[path[:, 0]] - y[path[:, 1]]) ** 2, axis=1).sum(), rel=1e-9)
    assert fastdtw(x[:1500], y[:1500])[0] >= exact_dtw(x[:1500], y[:1500])[0]


def test_distances_take_float32_and_strides() -> None:
    generator = np.random.default_rng(0)
    x, y = (random_walk(generator, frames).astype(np.float32) for frames in (30, 40))
    for distance in (fastdtw, exact_dtw):
        expected = distance(x.astype(float), y.astype(float))[0]
        assert isinstance(expected, float)
        assert distance(x, np.asfortranarray(y))[0] == expected


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros(5), np.zeros(5), "frames, channels"),
        (np.zeros((5, 3)), np.zeros((5, 4)), "same channels"),
        (np.zeros((0, 3)), np.zeros((5, 3)), "at least one frame"),
        (np.zeros((5, 0)), np.zeros((5, 0)), "at least one frame"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "finite"),
        (np.zeros((5, 3)), np.full((5, 3), np.inf), "finite"),
    ],
)
def test_distances_refuse(x: np.ndarray, y: np.ndarray, message: str) -> None:
    for distance in (fastdtw, exact_dtw):
        with pytest.raises(ValueError, match=message):
            distance(x, y)
    with pytest.raises(ValueError, match="radius is 0"):
        fastdtw(np.zeros((5, 3)), np.zeros((5, 3)), radius=0)
