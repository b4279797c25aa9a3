from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import matplotlib.image
import numpy as np
import PIL.Image
import pytest

from dataset.blendshapes import ARKIT
from dataset.recordings.recording import Recording
from postprocess.face.heads import DEFAULT_HEAD, read_head
from postprocess.face.mesh import Head, Mesh, Part
from postprocess.face.mesh import normals as reference_normals
from postprocess.film import releases, text
from postprocess.film.film import Film
from postprocess.film.footage import Footage
from postprocess.film.kernels import ACROSS, DOWN, NOTHING, SAMPLES, openness, rasterise, vertex_normals
from postprocess.film.performance import Performance, perform
from postprocess.film.scene import Scene
from postprocess.film.stills import CAPTION, GAP, contact_sheet, write_gif, write_png
from postprocess.film.studio import MARGIN, box_around, framed
from postprocess.film.video import SOUND_RATE, in_order, write_mp4
from tests.heads import posed, row
from tests.helpers import CASES, needs_case, refused

GREY = (0.5, 0.5, 0.5)


def plate(name: str = "plate", half: float = 0.1, z: float = 0.0) -> Part:
    """A square that faces +z, an eighth of its side a cell."""
    side = np.linspace(-half, half, 9, dtype=np.float32)
    x, y = np.meshgrid(side, side)
    vertices = np.stack([x.ravel(), y.ravel(), np.full(81, z)], axis=1).astype(np.float32)
    a = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + 10], 1), np.stack([a, a + 10, a + 9], 1)])
    return Part(name, vertices, triangles.astype(np.int32), colours(GREY, 81))


def colours(colour: tuple[float, float, float], count: int) -> np.ndarray:
    return np.tile(np.array(colour, np.float32), (count, 1))


def ball(centre: tuple[float, float, float] = (0, 0, 0), radius: float = 0.1) -> Part:
    """Triangles counter-clockwise seen from outside, mirror images of each other left and right."""
    down, around = np.meshgrid(np.linspace(0, np.pi, 17), np.linspace(0, 2 * np.pi, 33)[:-1], indexing="ij")
    unit = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], axis=-1)
    a = (np.arange(16)[:, None] * 32 + np.arange(32)).ravel()
    b = (np.arange(16)[:, None] * 32 + (np.arange(32) + 1) % 32).ravel()
    triangles = np.concatenate([np.stack([a, a + 32, b], 1), np.stack([b, a + 32, b + 32], 1)])
    vertices = (unit.reshape(-1, 3) * radius + np.array(centre)).astype(np.float32)
    return Part("ball", vertices, triangles.astype(np.int32), colours(GREY, len(vertices)))


def seen(
    screen: list[list[float]], triangles: list[list[int]], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """(nearness, owner), both (height, width, SAMPLES)."""
    nearness = np.empty((SAMPLES * height, width), np.float32)
    owner = np.empty((SAMPLES * height, width), np.int32)
    rasterise(np.array(screen, np.float32), np.array(triangles, np.int32), nearness, owner)
    near, seen_by = (samples.reshape(height, SAMPLES, width).swapaxes(1, 2) for samples in (nearness, owner))
    return near, seen_by


def places(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every sample, (height, width, SAMPLES)."""
    return np.arange(width)[None, :, None] + ACROSS[None, None], np.arange(height)[:, None, None] + DOWN[None, None]


def test_samples_are_four_rooks() -> None:
    assert sorted(ACROSS) == sorted(DOWN) == [0.125, 0.375, 0.625, 0.875]


def test_a_known_triangle_covers_what_it_should() -> None:
    _, owner = seen([[0, 0, 1], [4, 0, 1], [0, 4, 1]], [[0, 1, 2]], 5, 5)
    inside = (owner != NOTHING).sum(axis=2)
    # Below the diagonal x + y = 4 pixels are whole, on it two samples (0.375, 0.125), (0.125, 0.625) are within.
    expected = [[4, 4, 4, 2, 0], [4, 4, 2, 0, 0], [4, 2, 0, 0, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(inside, expected)


def test_random_triangles_cover_the_samples_that_lie_in_them() -> None:
    random = np.random.default_rng(0)
    x, y = places(12, 16)
    for _ in range(50):
        corners = random.uniform(-4, 20, (3, 2)).astype(np.float32).astype(np.float64)
        _, owner = seen(np.column_stack([corners, np.ones(3)]).tolist(), [[0, 1, 2]], 12, 16)
        following = np.roll(corners, -1, axis=0)
        sides = np.stack(
            [(b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0]) for a, b in zip(corners, following, strict=True)]
        )
        clear = (np.abs(sides) > 1e-3).all(axis=0)  # of the edges, where the last bit decides
        inside = np.asarray((sides > 0).all(axis=0) | (sides < 0).all(axis=0))
        np.testing.assert_array_equal((owner == 0)[clear], inside[clear])


def test_neighbours_leave_no_gap_and_share_no_sample() -> None:
    random = np.random.default_rng(1)
    corners = [[0.0, 0.0], [0.0, 16.0], [16.0, 16.0], [16.0, 0.0]]
    for _ in range(50):
        screen = [[x, y, 1.0] for x, y in [*corners, random.uniform(2, 14, 2).tolist()]]
        fan = [[4, i, (i + 1) % 4] for i in range(4)]
        owned = np.stack([np.equal(seen(screen, [triangle], 16, 16)[1], 0) for triangle in fan])
        np.testing.assert_array_equal(owned.sum(axis=0), 1)


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_the_nearer_hides_the_farther(order: list[int]) -> None:
    near = [[2, 2, 0.9], [6, 2, 0.9], [2, 6, 0.9]]
    far = [[0, 0, 0.5], [16, 0, 0.5], [0, 16, 0.5]]
    triangles = np.array([[0, 2, 1], [3, 5, 4]])[order].tolist()
    nearness, owner = seen(near + far, triangles, 8, 8)
    assert set(owner[3, 3]) == {order.index(0)}
    assert set(owner[0, 0]) == {order.index(1)}
    assert nearness[3, 3] == pytest.approx(0.9)
    assert nearness[0, 0] == pytest.approx(0.5)


def test_nearness_runs_straight_across_the_screen() -> None:
    nearness, owner = seen([[0, 0, 0.2], [0, 8, 0.6], [8, 0, 1.0]], [[0, 1, 2]], 8, 8)
    x, y = places(8, 8)
    expected = 0.2 + 0.1 * x + 0.05 * y
    np.testing.assert_allclose(nearness[owner == 0], expected[owner == 0], rtol=1e-5)
    assert not nearness[owner == NOTHING].any()


def test_what_is_behind_the_eye_is_not_drawn() -> None:
    assert (seen([[0, 0, 1], [8, 0, 1], [0, 8, 0]], [[0, 1, 2]], 8, 8)[1] == NOTHING).all()


def test_normals_are_the_heads_own() -> None:
    part = ball()
    alone = np.arange(len(part.vertices), dtype=np.int32)
    found = vertex_normals(part.vertices, part.triangles, alone)
    np.testing.assert_allclose(found, reference_normals(part.vertices, part.triangles), atol=1e-5)


def test_a_seam_is_smooth_and_lips_that_part_are_not_welded() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0], [0, 1, 0], [-1, 0, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5]], np.int32)
    together = Part(
        "seam", vertices, triangles, np.ones((6, 3), np.float32), offsets={"JawOpen": np.ones((6, 3), np.float32)}
    )
    mesh = Mesh.of(Head((together,)))
    np.testing.assert_array_equal(mesh.welded, [0, 1, 2, 0, 2, 5])
    np.testing.assert_allclose(vertex_normals(vertices, triangles, mesh.welded)[[0, 3]], [[0, 0, 1]] * 2, atol=1e-6)
    opens = np.array([[0, 1, 0]] * 3 + [[0, -1, 0]] * 3, np.float32)
    apart = Part("lips", vertices, triangles, np.ones((6, 3), np.float32), offsets={"JawOpen": opens})
    np.testing.assert_array_equal(Mesh.of(Head((apart,))).welded, np.arange(6))


def test_a_mesh_is_posed_as_its_parts_are() -> None:
    random = np.random.default_rng(0)

    def offsets(*names: str) -> dict[str, np.ndarray]:
        return {name: random.normal(size=(81, 3)).astype(np.float32) for name in names}

    first = replace(plate("a"), offsets=offsets("JawOpen", "CheekPuff"))
    head = Head((first, replace(plate("b"), offsets=offsets("JawOpen")), ball()))
    pose = {"JawOpen": 0.3, "CheekPuff": 0.7, "TongueOut": 1.0}
    mesh = Mesh.of(head)
    expected = np.concatenate([posed(part, pose) for part in head.parts])
    np.testing.assert_allclose(mesh.posed(row(mesh.channels, pose)), expected, atol=1e-6)
    np.testing.assert_array_equal(mesh.posed(row(mesh.channels, {})), mesh.vertices)


def coverage(picture: np.ndarray) -> np.ndarray:
    """(H, W) bool: where the head stands, and not the backdrop, which is the same all along a row."""
    return (picture != picture[:, :1]).any(axis=2)


def draw(scene: Scene, coefficients: dict[str, float] | None = None, **turn: float) -> np.ndarray:
    """The scene's picture, its channels and turns by name."""
    turn_deg = (turn.get("yaw_deg", 0.0), turn.get("pitch_deg", 0.0), turn.get("roll_deg", 0.0))
    return scene.draw(row(scene.mesh.channels, coefficients or {}), turn_deg)


def test_the_picture_of_a_symmetric_head_is_symmetric() -> None:
    scene = Scene(Head((ball(),)), 64)
    covered = coverage(draw(scene))
    assert 0.5 < covered.mean() < 0.8  # a disc in a square, with a margin
    for mirrored in (covered[:, ::-1], covered[::-1]):
        assert (covered != mirrored).sum() <= 0.02 * covered.sum()  # but for the samples on the outline


@pytest.mark.parametrize(
    ("turn", "axis", "sign"),
    [({"yaw_deg": 30}, 1, 1), ({"yaw_deg": -30}, 1, -1), ({"pitch_deg": 30}, 0, -1), ({"pitch_deg": -30}, 0, 1)],
)
def test_the_head_turns_to_its_left_and_up(turn: dict[str, float], axis: int, sign: int) -> None:
    nose = ball((0, 0, 0.1), 0.03)
    nose = replace(nose, colours=colours((1, 0, 0), len(nose.vertices)))
    scene = Scene(Head((ball(), nose)), 64)
    picture = draw(scene, {}, **turn).astype(int)
    middle = np.argwhere(picture[..., 0] > 2 * picture[..., 2]).mean(axis=0)
    assert sign * (middle[axis] - 31.5) > 5
    assert abs(middle[1 - axis] - 31.5) < 8  # the neck turns below the middle


def test_the_head_rolls_to_its_left_shoulder() -> None:
    scene = Scene(Head((ball((0, 0.1, 0), 0.03), ball((0, -0.1, 0), 0.03))), 64)
    top = coverage(draw(scene, roll_deg=20))[:30].sum(axis=0)
    assert (top * np.arange(64)).sum() / top.sum() > 36


def a_face() -> Part:
    """A red ball of 0.2 m whose whole front moves."""
    face = ball()
    front = (face.vertices[:, 2:] > 0) * np.float32(0.01)
    offsets = {name: np.repeat(front, 3, axis=1) for name in ("JawOpen", "BrowInnerUp")}
    return replace(face, colours=colours((0.8, 0.05, 0.05), len(face.vertices)), offsets=offsets)


def rows_of_red(head: Head) -> np.ndarray:
    picture = draw(Scene(head, 100)).astype(int)
    return np.flatnonzero((picture[..., 0] > picture[..., 2] + 20).any(axis=1))


def test_of_a_body_the_camera_shows_the_face_and_of_a_head_all() -> None:
    body = Part("body", *tube(0.3, -1.5, -0.12), colours(GREY, 64))
    rows = rows_of_red(Head((a_face(), body)))
    assert len(rows) > 50  # of 100
    assert 0 < rows[0] < rows[-1] < 99  # with a margin
    neck = Part("neck", *tube(0.05, -0.15, -0.09), colours(GREY, 64))
    assert 64 < len(rows_of_red(Head((a_face(), neck)))) < 76  # of 100, whole, with the neck


def tube(radius: float, bottom: float, top: float) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of an upright open tube."""
    around = np.linspace(0, 2 * np.pi, 33)[:-1]
    rings = [np.stack([radius * np.sin(around), np.full(32, y), radius * np.cos(around)], 1) for y in (bottom, top)]
    a, b = np.arange(32), (np.arange(32) + 1) % 32
    triangles = np.concatenate([np.stack([a, b, a + 32], 1), np.stack([b, b + 32, a + 32], 1)])
    return np.concatenate(rings).astype(np.float32), triangles.astype(np.int32)


@needs_case("05-full-body-avatar")
def test_the_head_of_a_full_body_avatar_is_half_of_the_picture_or_more() -> None:
    low, high = framed(Mesh.of(read_head(CASES / "05-full-body-avatar" / "body.glb")))
    assert low[1] < -0.1 and high[1] >= 0.1 - 1e-6
    assert MARGIN * max((high - low)[:2]) < 0.4  # twice the head's height


def test_a_mouth_alone_is_shown_in_its_head() -> None:
    whole = np.array([(-0.1, -0.12, -0.1), (0.1, 0.12, 0.1)])
    mouth = np.array([(-0.03, -0.06, 0.09), (0.03, -0.04, 0.1)])
    np.testing.assert_array_equal(box_around(whole, mouth, brows=False, up=1), whole)
    np.testing.assert_array_equal(box_around(whole, mouth[:1], brows=False, up=1), whole)
    body = whole + np.array([(-0.3, -1.5, 0), (0.3, 0, 0)])
    low, high = box_around(body, mouth, brows=False, up=1)
    assert low[1] < -0.09
    assert high[1] > 0.1
    assert 0.15 < high[1] - low[1] < 0.3


def test_the_head_we_ship_is_shown_whole() -> None:
    head = read_head(DEFAULT_HEAD)
    np.testing.assert_array_equal(framed(Mesh.of(head)), head.bounds())


def test_the_inside_of_a_surface_is_dark() -> None:
    outside = plate()
    inside = Part("inside", outside.vertices, outside.triangles[:, ::-1].copy(), outside.colours)
    front, back = (draw(Scene(Head((part,)), 64))[32, 32].mean() for part in (outside, inside))
    assert back < 0.4 * front


def test_an_open_mouth_differs_from_a_closed_one_and_only_there() -> None:
    lip = np.zeros((81, 3), np.float32)
    lip[:, 1] = -0.04
    red = replace(plate("lip", 0.02, 0.001), colours=colours((0.6, 0.1, 0.1), 81), offsets={"JawOpen": lip})
    scene = Scene(Head((plate(), red)), 96)
    closed, still, opened = draw(scene), draw(scene, {"CheekPuff": 1.0}), draw(scene, {"JawOpen": 1.0})
    np.testing.assert_array_equal(closed, still)
    moved = np.argwhere((np.abs(closed.astype(int) - opened) > 8).any(axis=2))
    assert len(moved) > 100
    assert moved[:, 1].min() > 32
    assert moved[:, 1].max() < 64


def test_hollows_are_dark() -> None:
    walls = [plate("floor")]
    for side in (-1, 1):  # walls that stand towards us on the floor's left and right
        wall = plate("wall")
        vertices = (wall.vertices[:, [2, 1, 0]] * [1, 1, side] + [side * 0.1, 0, 0.1]).astype(np.float32)
        walls.append(Part("wall", vertices, wall.triangles, wall.colours))

    def open_at(parts: list[Part]) -> np.ndarray:
        scene = Scene(Head(tuple(parts)), 96)
        vertices = scene.mesh.vertices
        screen = scene._projected(vertices)
        normals = vertex_normals(vertices, scene.mesh.triangles, scene.mesh.welded)
        nearness, owner = scene._seen.nearness, scene._seen.owner
        rasterise(screen, scene.mesh.triangles, nearness, owner)
        mesh = (screen, vertices, normals, scene.mesh.colours, scene.mesh.roughness, scene.mesh.triangles)
        return openness(mesh, nearness, owner, np.float32(scene.focal), np.float32(0.05))[..., 0]

    flat, well = open_at(walls[:1]), open_at(walls)
    np.testing.assert_allclose(flat, 1)
    row = well[24]
    corner = np.flatnonzero(row < 1).min()
    assert row[24] == pytest.approx(1)  # the floor's middle is further from the walls than light is asked about
    assert row[corner : corner + 6].min() < 0.8


def test_the_key_light_throws_a_shadow() -> None:
    """A small plate towards the key light, up and to the picture's left, shades the large one to its lower right."""
    far, small = plate(half=0.1), plate("small", 0.02, 0.06)
    lone, both = (
        draw(Scene(Head(parts), 128)).astype(int) for parts in ((far, plate("small", 1e-5, 0.06)), (far, small))
    )
    darker = np.argwhere((lone - both).sum(axis=2) > 60)
    down, right = darker.mean(axis=0) - 63.5
    assert down > 10
    assert right > 10


def test_rough_surfaces_have_no_highlight() -> None:
    shiny, chalk = (draw(Scene(Head((replace(ball(), roughness=r),)), 64)).max() for r in (0.1, 1.0))
    assert shiny > chalk + 30


# ---- performances, words, sheets ----


def recording(frames: int, **angles: np.ndarray) -> Recording:
    values = np.linspace(-0.2, 1.2, frames)[:, None]
    return Recording(("JawOpen",), values, None, 30.0, angles, "livelink")


def test_a_recording_is_performed_at_a_constant_rate_and_held_at_its_end() -> None:
    performance = perform(recording(31), ("JawOpen", "TongueOut"), 30, 40)
    jaw, tongue = performance.coefficients.T
    assert list(jaw[:2]) == [0, 0]  # a coefficient is from 0 to 1
    assert jaw[15] == pytest.approx(0.5)
    assert set(jaw[30:]) == {1.0}
    assert not tongue.any()  # which the recording does not have
    assert not performance.turns_deg.any()
    assert len(perform(recording(30), ("JawOpen",), 60, 60)) == 60


def test_the_head_turns_about_its_usual_bearing() -> None:
    yaw = np.full(21, 0.5)
    yaw[3], yaw[4] = 0.5 + np.radians(10), 3.0
    turned = perform(recording(21, HeadYaw=yaw), (), 30, 21).turns_deg
    assert [round(turned[frame, 0], 3) for frame in (0, 3, 4)] == [0, 10, 25]
    degrees = perform(recording(21, HeadPitch=np.linspace(-20, 20, 21)), (), 30, 21).turns_deg
    assert degrees[0, 1] == pytest.approx(-20)


def test_pictures_come_in_order_and_little_ahead() -> None:
    begun = []

    def work(number: int) -> int:
        begun.append(number)
        if number == 9:
            raise ValueError("nine")
        return number * number

    found = in_order(work, range(100), 2)
    assert [next(found) for _ in range(5)] == [0, 1, 4, 9, 16]
    assert len(begun) <= 5 + 2 * 2 + 1
    with pytest.raises(ValueError, match="nine"):
        list(found)


def test_words_are_written_where_they_belong() -> None:
    picture = np.zeros((60, 200, 3), np.uint8)
    text.write(picture, "prediction", 100, 50, 20)
    rows, columns = np.nonzero(picture[..., 0])
    assert 25 < rows.min() < rows.max() < 50
    assert abs((columns.min() + columns.max()) / 2 - 100) < 4
    assert picture.max() == text.INK
    text.write(picture, "", 100, 50, 20)


def test_a_long_word_is_cut_and_one_over_the_edge_is_clipped() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    text.write(picture, "word " * 40, 30, 30, 16)
    text.write(picture, "edge", 0, 8, 16)
    assert picture[:, :10].any()


def test_characters_without_a_font_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "font_for", lambda _: None)
    text._font.cache_clear()
    picture = np.zeros((40, 60, 3), np.uint8)
    assert not text.can_write("你")
    text.write(picture, "你", 30, 30, 16)
    assert not picture.any()
    text._font.cache_clear()


def test_a_film_is_its_performances_side_by_side() -> None:
    lip = np.full((81, 3), (0, -0.05, 0), np.float32)
    scene = Scene(Head((replace(plate(), offsets={"JawOpen": lip}),)), 64)
    poses = [Performance(np.array(jaw, np.float32)[:, None], np.zeros((2, 3))) for jaw in ([0, 0], [0, 1])]
    film = Film(scene, poses)
    assert (len(film), film.size, film.picture(0).shape) == (2, (64, 128), (64, 128, 3))
    np.testing.assert_array_equal(film.picture(0)[:, :64], film.picture(0)[:, 64:])
    np.testing.assert_array_equal(film.picture(1)[:, 64:], draw(scene, {"JawOpen": 1.0}))
    portrait = Film(scene, poses, share=0.5)
    assert portrait.size == (64, 64)
    np.testing.assert_array_equal(portrait.picture(1), film.picture(1)[:, [*range(16, 48), *range(80, 112)]])
    labelled = Film(scene, poses, ["target", "prediction"]).picture(0)
    assert (labelled[:32] == film.picture(0)[:32]).all()
    assert (labelled[48:] != film.picture(0)[48:]).any()


def test_a_sheet_holds_every_tile_above_its_caption() -> None:
    tiles = [np.full((50, 40, 3), shade, np.uint8) for shade in (50, 100, 150, 200, 250)]
    sheet = contact_sheet(tiles, ["a", "b", "c", "d", "e"])
    height, width = 50 + CAPTION + GAP, 40 + GAP
    rows, columns = (sheet.shape[0] - GAP) // height, (sheet.shape[1] - GAP) // width
    assert (rows, columns) == (2, 3) or (rows, columns) == (1, 5)
    for number, tile in enumerate(tiles):
        top, left = GAP + number // columns * height, GAP + number % columns * width
        np.testing.assert_array_equal(sheet[top : top + 50, left : left + 40], tile)
        assert sheet[top + 50 : top + 50 + CAPTION, left : left + 40].max() > 150


def test_stills_are_read_back(tmp_path: Path) -> None:
    pictures = [np.full((20, 30, 3), (shade, 0, 0), np.uint8) for shade in range(0, 250, 50)]
    write_png(tmp_path / "a.png", pictures[3])
    np.testing.assert_array_equal((matplotlib.image.imread(tmp_path / "a.png")[..., :3] * 255).round(), pictures[3])
    write_gif(tmp_path / "a.gif", iter(pictures), 12.5, pictures)
    with PIL.Image.open(tmp_path / "a.gif") as loop:
        assert (loop.info["duration"], loop.info["loop"], loop.size) == (80, 0, (30, 20))
        loop.seek(4)
        with pytest.raises(EOFError):
            loop.seek(5)
        loop.seek(3)
        assert np.abs(np.asarray(loop.convert("RGB"))[10, 10].astype(int) - (150, 0, 0)).max() <= 8


def test_a_loop_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(ARKIT, np.zeros((90, 52)), None, 30.0, {}, "arkit")
    footage = Footage((), (), (recording,), 30.0, Head((plate(),)), Path(), None, 0.0, ())
    monkeypatch.setattr(releases, "MOST_LOOP_PIXELS", 64 * 52 * 25)  # 2 s
    line = refused(releases.write_loop, tmp_path / "a.gif", footage, 64)
    assert line.startswith(f"--gif {tmp_path / 'a.gif'}: 3 s, but at this size a loop has at most 2 s; write a movie")
    assert not (tmp_path / "a.gif").exists()


def test_a_movie_takes_its_sound_as_it_goes_and_all_of_it(tmp_path: Path) -> None:
    taken: list[int] = []

    def sound() -> Iterator[np.ndarray]:
        for second in range(4):
            taken.append(second)
            yield np.full(SOUND_RATE, 0.1, np.float32)

    def pictures() -> Iterator[np.ndarray]:
        for number in range(30):
            assert len(taken) <= number / 10 + 1  # at 10 a second, no block before its time
            yield np.zeros((64, 64, 3), np.uint8)

    write_mp4(tmp_path / "a.mp4", pictures(), (64, 64), 10, sound())
    with av.open(str(tmp_path / "a.mp4")) as movie:
        heard = sum(frame.samples for frame in movie.decode(audio=0))
    assert 0 <= heard - 4 * SOUND_RATE < 2048  # AAC's frames have 1024 samples
