"""Heads on disk: what is written is read back, other makers' files are read, a damaged one is named in a line."""

import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.errors import UserError
from dataset.blendshapes import ARKIT
from postprocess.face.gltf import write_head
from postprocess.face.heads import DEFAULT_HEAD, open_head, read_head
from postprocess.face.mesh import Head, Part, normals
from tests.heads import LIFT, SQUARE, TRIANGLES, GltfBuilder, posed
from tests.helpers import CASES, needs_case, refused


def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The vertices and triangles of a wavy sheet of size × size."""
    x, y = np.meshgrid(np.linspace(0, 0.2, size), np.linspace(0, 0.3, size))
    vertices = np.stack([x.ravel(), y.ravel(), 0.02 * np.sin(20 * x * y).ravel()], axis=1).astype(np.float32)
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).ravel()
    low = np.stack([corner, corner + 1, corner + size + 1], axis=1)
    high = np.stack([corner, corner + size + 1, corner + size], axis=1)
    return vertices, np.concatenate([low, high]).astype(np.int32)


def sheet_head() -> Head:
    rng = np.random.default_rng(7)
    vertices, triangles = grid(20)
    few, most = np.zeros_like(vertices), rng.normal(0, 0.01, vertices.shape).astype(np.float32)
    few[30:45] = rng.normal(0, 0.01, (15, 3))
    colours = rng.random(vertices.shape).astype(np.float32)
    face = Part("face", vertices, triangles, colours, 0.5, {"JawOpen": most, "MouthSmileLeft": few})
    tongue = Part("tongue", SQUARE, TRIANGLES, colours[:4], 0.25, {"TongueOut": LIFT, "JawOpen": LIFT * 0})
    return Head((face, tongue, Part("teeth", SQUARE, TRIANGLES, colours[:4], 0.3)))


def test_what_is_written_is_read_back_to_the_bit(tmp_path: Path) -> None:
    head, file = sheet_head(), tmp_path / "head.glb"
    write_head(file, head)
    again = read_head(file)
    assert again.channels == head.channels == ("JawOpen", "MouthSmileLeft", "TongueOut")
    assert len(again.missing) == 49
    assert [part.name for part in again.parts] == ["face", "tongue", "teeth"]
    for part, read in zip(head.parts, again.parts, strict=True):
        for left, right in ((part.vertices, read.vertices), (part.triangles, read.triangles)):
            np.testing.assert_array_equal(left, right)
        np.testing.assert_array_equal(part.colours, read.colours)
        assert read.roughness == part.roughness
        for name, offset in read.offsets.items():
            np.testing.assert_array_equal(offset, part.offsets[name])
    assert list(again.parts[1].offsets) == ["TongueOut"]  # a shape that does not move the part is not written


def test_the_same_head_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        write_head(tmp_path / name, sheet_head())
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_a_glb_holds_what_tools_look_for(tmp_path: Path) -> None:
    import pygltflib

    write_head(tmp_path / "head.glb", sheet_head())
    tree = pygltflib.GLTF2().load(str(tmp_path / "head.glb"))
    face, tongue, teeth = tree.meshes
    assert face.extras == {"targetNames": ["jawOpen", "mouthSmileLeft"]}
    assert tongue.extras == {"targetNames": ["tongueOut"]}
    assert not teeth.extras
    assert face.weights == [0, 0]
    smile = face.primitives[0].targets[1]
    dense, sparse = (tree.accessors[face.primitives[0].targets[i]["POSITION"]] for i in (0, 1))
    assert dense.sparse is None
    assert sparse.sparse.count == 15  # only the vertices that move
    assert 15 <= tree.accessors[smile["NORMAL"]].sparse.count < 80  # and their neighbours' normals
    assert tree.materials[0].pbrMetallicRoughness.roughnessFactor == 0.5


def test_morphed_normals_are_those_of_the_moved_surface(tmp_path: Path) -> None:
    head = sheet_head()
    write_head(tmp_path / "head.glb", head)
    stored = read_stored_normals(tmp_path / "head.glb")
    face = head.parts[0]
    np.testing.assert_array_equal(stored["rest"], normals(face.vertices, face.triangles))
    moved = normals(posed(face, {"JawOpen": 1}), face.triangles)
    np.testing.assert_allclose(stored["rest"] + stored["target"], moved, atol=0.011)


def read_stored_normals(file: Path) -> dict[str, np.ndarray]:
    """The NORMAL of the first mesh and of its first target, dense ones, straight from the bytes."""
    import pygltflib

    tree = pygltflib.GLTF2().load(str(file))
    primitive = tree.meshes[0].primitives[0]
    found = {}
    for name, index in (("rest", primitive.attributes.NORMAL), ("target", primitive.targets[0]["NORMAL"])):
        accessor = tree.accessors[index]
        start = tree.bufferViews[accessor.bufferView].byteOffset
        found[name] = np.frombuffer(tree.binary_blob(), np.float32, accessor.count * 3, start).reshape(-1, 3)
    return found


@pytest.fixture
def builder() -> GltfBuilder:
    return GltfBuilder()


def only_part(path: Path) -> Part:
    (part,) = read_head(path).parts
    return part


def test_an_embedded_buffer_is_read(builder: GltfBuilder, tmp_path: Path) -> None:
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_array_equal(part.vertices, SQUARE)
    np.testing.assert_array_equal(part.triangles, TRIANGLES)
    np.testing.assert_array_equal(part.offsets["JawOpen"], LIFT)


def test_a_buffer_beside_the_file_is_read_and_a_missing_one_named(builder: GltfBuilder, tmp_path: Path) -> None:
    file = builder.save(tmp_path / "a.gltf")
    builder.tree["buffers"] = [{"byteLength": len(builder.data), "uri": "my%20face.bin"}]
    file.write_text(json.dumps(builder.tree), encoding="utf-8")
    with pytest.raises(UserError, match=r"a\.gltf: my face\.bin is not beside it; copy it there"):
        read_head(file)
    (tmp_path / "my face.bin").write_bytes(builder.data)
    np.testing.assert_array_equal(only_part(file).vertices, SQUARE)


def test_transforms_of_the_nodes_above_are_applied(builder: GltfBuilder, tmp_path: Path) -> None:
    half = np.sqrt(0.5)
    builder.tree["nodes"] = [
        {"children": [1], "translation": [0, 1.5, 0], "scale": [0.1, 0.1, 0.1]},
        {"name": "Face", "mesh": 0, "rotation": [half, 0, 0, half]},  # a quarter round x: y to z, z to -y
    ]
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.vertices[2], (0.1, 1.5, 0.1), atol=1e-6)
    np.testing.assert_allclose(part.offsets["JawOpen"][1], (0, -0.05, 0), atol=1e-6)


def test_a_mirrored_node_keeps_its_outside(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["nodes"][0]["matrix"] = np.diag((-1.0, 1, 1, 1)).ravel().tolist()
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(normals(part.vertices, part.triangles), np.tile((0, 0, 1), (4, 1)))


def test_a_skin_is_applied_as_it_rests(builder: GltfBuilder, tmp_path: Path) -> None:
    """A rig in centimetres, z up, whose joints undo both; the node's own transform does not count, says glTF."""
    builder.tree["nodes"] = [
        {"name": "Face", "mesh": 0, "skin": 0, "translation": [9, 9, 9]},
        {"translation": [0, 1, 0], "children": [2]},
        {"translation": [0, 0.5, 0]},
    ]
    builder.tree["scenes"] = [{"nodes": [0, 1]}]
    inverse = np.stack([np.diag((0.01, 0.01, 0.01, 1)).T.ravel()] * 2).astype(np.float32)
    builder.tree["skins"] = [{"joints": [1, 2], "inverseBindMatrices": builder.add(inverse)}]
    builder.primitive["attributes"]["JOINTS_0"] = builder.add(np.array([[0, 1, 0, 0]] * 4, np.uint8))
    builder.primitive["attributes"]["WEIGHTS_0"] = builder.add(
        np.array([[127, 127, 0, 0]] * 4, np.uint8), normalized=True
    )
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.vertices, SQUARE * 0.01 + (0, 1.25, 0), atol=1e-6)
    np.testing.assert_allclose(part.offsets["JawOpen"], LIFT * 0.01, atol=1e-7)


def test_quantised_sparse_and_interleaved_numbers_are_read(builder: GltfBuilder, tmp_path: Path) -> None:
    table = np.zeros((4, 4), np.int16)  # x y z and two bytes of padding
    table[:, :3] = SQUARE * 32767
    builder.primitive["attributes"]["POSITION"] = builder.add(table, normalized=True, type="VEC3")
    builder.tree["bufferViews"][-1]["byteStride"] = 8
    places, values = builder.view(np.array([1], np.uint8).tobytes()), builder.view(LIFT[1].tobytes())
    builder.tree["accessors"].append({
        "componentType": 5126, "count": 4, "type": "VEC3",
        "sparse": {
            "count": 1, "indices": {"bufferView": places, "componentType": 5121}, "values": {"bufferView": values},
        },
    })  # fmt: skip
    builder.primitive["targets"][0]["POSITION"] = len(builder.tree["accessors"]) - 1
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.vertices, SQUARE, atol=1e-6)
    np.testing.assert_array_equal(part.offsets["JawOpen"], LIFT)


@pytest.mark.parametrize(("mode", "corners"), [(5, [0, 1, 3, 2]), (6, [0, 1, 2, 3])])
def test_strips_and_fans_face_outwards(builder: GltfBuilder, tmp_path: Path, mode: int, corners: list[int]) -> None:
    builder.primitive |= {"mode": mode, "indices": builder.add(np.array(corners, np.uint8).reshape(-1, 1))}
    part = only_part(builder.save(tmp_path / "a.gltf"))
    assert len(part.triangles) == 2
    np.testing.assert_allclose(normals(part.vertices, part.triangles), np.tile((0, 0, 1), (4, 1)))


def test_a_material_without_a_texture_gives_its_colour(builder: GltfBuilder, tmp_path: Path) -> None:
    surface = {"baseColorFactor": [0.5, 0.25, 0.125, 1], "roughnessFactor": 0.75}
    builder.tree["materials"] = [{"pbrMetallicRoughness": surface}]
    builder.primitive["material"] = 0
    builder.primitive["attributes"]["COLOR_0"] = builder.add(np.full((4, 4), 51, np.uint8), normalized=True)
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.colours, np.tile((0.1, 0.05, 0.025), (4, 1)), atol=1e-6)
    assert part.roughness == 0.75


def with_texture(builder: GltfBuilder, content: bytes) -> GltfBuilder:
    """Vertices 0 and 1 at a picture's lower corners, 2 and 3 at its upper ones."""
    uv = np.array([[0.1, 0.9], [0.9, 0.9], [0.9, 0.1], [0.1, 0.1]], np.float32)
    builder.primitive["attributes"]["TEXCOORD_0"] = builder.add(uv)
    builder.primitive["material"] = 0
    builder.tree["images"] = [{"bufferView": builder.view(content), "mimeType": "image/png"}]
    builder.tree["textures"] = [{"source": 0}]
    builder.tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
    return builder


def png(pixels: list[list[tuple[int, ...]]]) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.array(pixels, np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def test_a_texture_colours_the_vertices(builder: GltfBuilder, tmp_path: Path) -> None:
    picture = png([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (188, 188, 188)]])
    part = only_part(with_texture(builder, picture).save(tmp_path / "a.gltf"))
    expected = [(0, 0, 1), (0.5029, 0.5029, 0.5029), (0, 1, 0), (1, 0, 0)]  # sRGB 188 is half the light
    np.testing.assert_allclose(part.colours, expected, atol=1e-4)


def test_an_image_of_an_unknown_kind_gives_a_flat_colour(builder: GltfBuilder, tmp_path: Path) -> None:
    part = only_part(with_texture(builder, b"\xabKTX 20\xbb").save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.colours, 0.6, atol=1e-6)


def test_what_a_texture_cuts_out_is_not_drawn(builder: GltfBuilder, tmp_path: Path) -> None:
    """Eyelash and shadow cards: the triangle at the picture's clear left side goes, an opaque material keeps both."""
    clear, solid = (0, 0, 0, 0), (0, 0, 0, 255)
    with_texture(builder, png([[clear, solid], [clear, clear]]))
    builder.primitive["indices"] = builder.add(np.array([[0], [1], [3], [1], [2], [3]], np.uint8))
    assert len(only_part(builder.save(tmp_path / "a.gltf")).triangles) == 2
    builder.tree["materials"][0]["alphaMode"] = "MASK"
    np.testing.assert_array_equal(only_part(builder.save(tmp_path / "a.gltf")).triangles, [[1, 2, 3]])


def test_a_textures_seam_is_closed_and_a_hard_edge_kept(builder: GltfBuilder, tmp_path: Path) -> None:
    """Two triangles with corners of their own: one normal across the seam is one surface, two normals an edge."""
    corners = SQUARE[TRIANGLES.ravel()]
    builder.primitive["attributes"] = {
        "POSITION": builder.add(corners),
        "TEXCOORD_0": builder.add(corners[:, :2].copy()),
    }
    builder.primitive["indices"] = builder.add(np.arange(6, dtype=np.uint8).reshape(-1, 1))
    builder.primitive["targets"][0]["POSITION"] = builder.add(LIFT[TRIANGLES.ravel()])
    smooth = np.tile(np.array([0, 0, 1], np.float32), (6, 1))
    builder.primitive["attributes"]["NORMAL"] = builder.add(smooth)
    part = only_part(builder.save(tmp_path / "a.gltf"))
    np.testing.assert_array_equal(part.vertices[part.triangles], SQUARE[TRIANGLES])
    np.testing.assert_array_equal(part.offsets["JawOpen"][part.triangles], LIFT[TRIANGLES])
    assert len(part.vertices) == 4
    smooth[3:] = (0, 1, 0)
    builder.primitive["attributes"]["NORMAL"] = builder.add(smooth)
    assert len(only_part(builder.save(tmp_path / "a.gltf")).vertices) == 6


@pytest.mark.parametrize("name", ["jawOpen", "JawOpen", "jaw_open", "blendShape1.jawOpen"])
def test_shapes_are_known_in_any_spelling(builder: GltfBuilder, tmp_path: Path, name: str) -> None:
    builder.tree["meshes"][0]["extras"]["targetNames"] = [name]
    assert read_head(builder.save(tmp_path / "a.gltf")).channels == ("JawOpen",)


def test_the_halves_of_a_shape_are_added_and_a_whole_wins(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.primitive["targets"] = [{"POSITION": builder.add(LIFT * factor)} for factor in (1, 2, 5)]
    names = builder.tree["meshes"][0]["extras"]["targetNames"] = ["browInnerUp_L", "browInnerUp_R", "bigNose"]
    np.testing.assert_array_equal(only_part(builder.save(tmp_path / "a.gltf")).offsets["BrowInnerUp"], LIFT * 3)
    names[2] = "browInnerUp"
    np.testing.assert_array_equal(only_part(builder.save(tmp_path / "a.gltf")).offsets["BrowInnerUp"], LIFT * 5)


def test_names_on_primitives_and_accessors_count_too(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["meshes"][0]["extras"] = None
    builder.primitive["extras"] = {"targetNames": ["mouthPucker"]}
    assert read_head(builder.save(tmp_path / "a.gltf")).channels == ("MouthPucker",)
    del builder.primitive["extras"]
    builder.tree["accessors"][builder.primitive["targets"][0]["POSITION"]]["name"] = "cheekPuff"
    assert read_head(builder.save(tmp_path / "a.gltf")).channels == ("CheekPuff",)


def test_vrm_1_expressions_stand_in_for_names(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["meshes"][0]["extras"]["targetNames"] = ["Fcl_MTH_Open"]
    bind = {"node": 0, "index": 0, "weight": 0.5}
    expressions = {"preset": {"aa": {"morphTargetBinds": [bind]}}, "custom": {"JawOpen": {"morphTargetBinds": [bind]}}}
    builder.tree["extensions"] = {"VRMC_vrm": {"specVersion": "1.0", "expressions": expressions}}
    part = only_part(builder.save(tmp_path / "a.vrm"))
    np.testing.assert_array_equal(part.offsets["JawOpen"], LIFT / 2)
    np.testing.assert_array_equal(part.vertices, SQUARE)


def test_vrm_0_groups_stand_in_for_names_and_the_face_is_turned_to_us(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["meshes"][0]["extras"]["targetNames"] = ["Fcl_MTH_Open"]
    group = {"name": "jawOpen", "presetName": "unknown", "binds": [{"mesh": 0, "index": 0, "weight": 50}]}
    builder.tree["extensions"] = {"VRM": {"blendShapeMaster": {"blendShapeGroups": [group]}}}
    part = only_part(builder.save(tmp_path / "a.vrm"))
    about_face = (-1, 1, -1)  # VRM 0.x looks towards -z
    np.testing.assert_array_equal(part.vertices, SQUARE * about_face)
    np.testing.assert_array_equal(part.offsets["JawOpen"], LIFT / 2 * about_face)


def with_default(builder: GltfBuilder, node: list[float] | None = None, mesh: list[float] | None = None) -> GltfBuilder:
    """A second shape, wide, that is no ARKit shape and doubles the square's width; how far it and jawOpen are on."""
    wide = np.where(SQUARE == (1, 1, 0), SQUARE, 0).astype(np.float32) * (1, 0, 0)
    builder.primitive["targets"].append({"POSITION": builder.add(wide.astype(np.float32))})
    builder.tree["meshes"][0]["extras"]["targetNames"] = ["jawOpen", "wide"]
    if mesh:
        builder.tree["meshes"][0]["weights"] = mesh
    if node:
        builder.tree["nodes"][0]["weights"] = node
    return builder


@pytest.mark.parametrize(
    ("node", "mesh", "width"),
    [
        (None, None, 1),
        (None, [0, 1], 2),
        ([0, 1], None, 2),
        ([0, 0], [0, 1], 1),
        ([1, 0.5], [0, 1], 1.5),
        (None, [1], 1),
    ],
)
def test_shapes_that_no_curve_drives_stand_where_the_file_has_them(
    builder: GltfBuilder, tmp_path: Path, node: list[float] | None, mesh: list[float] | None, width: float
) -> None:
    part = only_part(with_default(builder, node, mesh).save(tmp_path / "a.gltf"))
    np.testing.assert_allclose(part.vertices, SQUARE * (width, 1, 1))
    np.testing.assert_array_equal(part.offsets["JawOpen"], LIFT)


def test_a_weight_that_is_no_number_is_damage(builder: GltfBuilder, tmp_path: Path) -> None:
    for weight in ("1", True, None):
        file = with_default(builder, node=[0, weight]).save(tmp_path / "a.gltf")  # type: ignore[list-item]
        for read in (read_head, open_head):
            assert "a weight is a number" in refused(read, file)


@needs_case("02-glb-default-weights")
@pytest.mark.parametrize("name", ["wide_mesh.glb", "wide_node.glb"])
def test_a_head_that_is_wide_by_default_is_drawn_wide(name: str) -> None:
    part = only_part(CASES / "02-glb-default-weights" / name)
    assert np.abs(part.vertices[:, 0]).max() == pytest.approx(0.2)


@needs_case("04-glb-tool-prefixes")
@pytest.mark.parametrize("name", ["iclone.glb", "daz.glb", "maya.glb"])
def test_tools_put_things_before_a_name(name: str) -> None:
    file = CASES / "04-glb-tool-prefixes" / name
    assert read_head(file).channels == ARKIT
    ((_, _, mixes),) = open_head(file)[1]
    assert set(mixes) == set(ARKIT)


def test_a_head_without_arkits_shapes_is_refused_with_what_it_has(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["meshes"][0]["extras"]["targetNames"] = ["Fcl_MTH_Open"]
    with pytest.raises(UserError, match=r"a\.gltf: none of its shapes is an ARKit blendshape; it has Fcl_MTH_Open$"):
        read_head(builder.save(tmp_path / "a.gltf"))
    builder.primitive["targets"] = []
    with pytest.raises(UserError, match="it has none at all"):
        read_head(builder.save(tmp_path / "a.gltf"))


def glb(tmp_path: Path) -> bytes:
    write_head(tmp_path / "whole.glb", sheet_head())
    return (tmp_path / "whole.glb").read_bytes()


@pytest.mark.parametrize("length", [5, 12, 19, 500, 5000, -4])
def test_a_cut_off_glb_is_named(tmp_path: Path, length: int) -> None:
    file = tmp_path / "a.glb"
    file.write_bytes(glb(tmp_path)[:length])
    with pytest.raises(UserError, match=r"a\.glb: cut off after \d+ of \d+ bytes"):
        read_head(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "neither a glb nor a gltf file"),
        (b"", "neither a glb nor a gltf file"),
        (b"[1, 2]", "neither a glb nor a gltf file"),
        (b'{"asset": {"version": "1.0"}}', "glTF 1.0; export it as glTF 2.0"),
        (b'{"asset": {"version": "2.0"}}', "no triangle mesh in its scene"),
        (b'{"asset": {"version": "2.0"}, "extensionsRequired": ["KHR_draco_mesh_compression"]}', "without compression"),
        (b"glTF" + struct.pack("<III4s", 2, 24, 4, b"JSON") + b"true", "neither a glb nor a gltf file"),
    ],
)
def test_a_file_that_is_no_head_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "a.glb"
    file.write_bytes(content)
    line = refused(read_head, file)
    assert re.search(message, line)
    assert line.startswith(f"{file}: ")


DAMAGE: dict[str, Any] = {
    "an accessor that is not there": lambda tree: tree["meshes"][0]["primitives"][0].update(indices=99),
    "no primitives": lambda tree: tree["meshes"][0].pop("primitives"),
    "an unknown component type": lambda tree: tree["accessors"][0].update(componentType=1),
    "a count beyond the buffer": lambda tree: tree["accessors"][0].update(count=10**6),
    "vertices fewer than a triangle names": lambda tree: tree["accessors"][0].update(count=3),
    "a node below itself": lambda tree: tree["nodes"][0].update(children=[0]),
    "meshes that are a word": lambda tree: tree.update(meshes="face"),
    "an expression of a shape that is not there": lambda tree: tree.update(
        extensions={
            "VRMC_vrm": {"expressions": {"custom": {"JawLeft": {"morphTargetBinds": [{"index": 9, "weight": 1}]}}}}
        }
    ),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_gltf_is_named(builder: GltfBuilder, tmp_path: Path, how: str) -> None:
    DAMAGE[how](builder.tree)
    with pytest.raises(UserError, match=r"a\.gltf: damaged glTF \(.+\); export it again"):
        read_head(builder.save(tmp_path / "a.gltf"))


NEUTRAL = "\n".join(["v 0 0 0", "v 10 0 0", "v 10 20 0", "v 0 20 0", "f 1/1/1 2/2/1 3/3/1 4/4/1", ""])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "generic_neutral_mesh.obj").write_text(NEUTRAL)
    (tmp_path / "jawOpen.obj").write_text(NEUTRAL.replace("v 10 0 0", "v 10 -2 0"))
    (tmp_path / "mouthSmile_L.obj").write_text(NEUTRAL.replace("v 10 20 0", "v 11 21 1"))
    (tmp_path / "cheekPuff_L.obj").write_text(NEUTRAL.replace("v 0 0 0", "v 0 0 3"))
    (tmp_path / "cheekPuff_R.obj").write_text(NEUTRAL.replace("v 10 20 0", "v 10 20 5"))
    (tmp_path / "eyeBlink_R.obj").write_text(NEUTRAL)  # moves nothing
    (tmp_path / "identity042.obj").write_text("v 1 2 3\n")  # no ARKit shape: not opened
    return tmp_path


def test_a_folder_of_obj_files_is_a_head(folder: Path) -> None:
    head = read_head(folder)
    (part,) = head.parts
    assert head.channels == ("JawOpen", "MouthSmileLeft", "CheekPuff")
    np.testing.assert_allclose(part.vertices[2], (0.1, 0.2, 0))  # 20 units tall: centimetres
    np.testing.assert_allclose(part.offsets["JawOpen"][1], (0, -0.02, 0))
    np.testing.assert_allclose(part.offsets["MouthSmileLeft"][2], (0.01, 0.01, 0.01))
    np.testing.assert_allclose(part.offsets["CheekPuff"][[0, 2], 2], (0.03, 0.05))
    np.testing.assert_array_equal(part.triangles, TRIANGLES)


def test_materials_become_parts_with_their_colours(folder: Path) -> None:
    faces = "mtllib a.mtl\nusemtl skin\nf 1 2 3\nusemtl teeth\nf -4 -2 -1\n"
    (folder / "generic_neutral_mesh.obj").write_text(NEUTRAL.partition("f ")[0] + faces)
    (folder / "a.mtl").write_text("newmtl skin\nKd 1 0 0\n")
    skin, teeth = read_head(folder).parts
    assert (skin.name, teeth.name) == ("skin", "teeth")
    np.testing.assert_array_equal(skin.colours, np.tile((1, 0, 0), (3, 1)))
    np.testing.assert_allclose(teeth.vertices[1], (0.1, 0.2, 0))
    assert "JawOpen" in skin.offsets
    assert "JawOpen" not in teeth.offsets  # it moves vertex 2 only, which the teeth do not have


def test_colours_outside_the_folder_are_not_read(folder: Path) -> None:
    (folder / "generic_neutral_mesh.obj").write_text(f"mtllib {folder.name}/../../a.mtl\nusemtl skin\n{NEUTRAL}")
    (folder.parent / "a.mtl").write_text("newmtl skin\nKd 1 0 0\n")
    (part,) = read_head(folder).parts
    assert not np.allclose(part.colours, (1, 0, 0))


def test_vertices_may_carry_colours(folder: Path) -> None:
    rows = [f"{line} 1 0.735357 0" if line.startswith("v") else line for line in NEUTRAL.splitlines()]
    (folder / "generic_neutral_mesh.obj").write_text("\n".join(rows))
    np.testing.assert_allclose(read_head(folder).parts[0].colours, np.tile((1, 0.5, 0), (4, 1)), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("jawOpen.obj", "v 0 0 0\nf 1 1 1\n", r"jawOpen\.obj: 1 vertices, but generic_neutral_mesh\.obj has 4"),
        ("jawOpen.obj", "v 0 0 0\nv 1 x 2\n", r'jawOpen\.obj, line 2: a vertex is three numbers, not "v 1 x 2"'),
        ("jawOpen.obj", "v 0 0 0\nv 1 2\n", r"jawOpen\.obj, line 2: a vertex is three numbers"),
        ("jawOpen.obj", "v 0 0 nan\n", r"jawOpen\.obj, line 1: a vertex is three numbers"),
        ("jawOpen.obj", "", r"jawOpen\.obj: no vertices"),
        ("jawOpen.obj", "v 0 0 1e300\n", r"jawOpen\.obj, line 1: a vertex is three numbers"),
        ("generic_neutral_mesh.obj", NEUTRAL.replace("20", "1e-300"), "all vertices are at one height"),
        ("generic_neutral_mesh.obj", NEUTRAL.replace("10", "1e14"), "head, vertex: farther than 100000 m"),
        (
            "generic_neutral_mesh.obj",
            NEUTRAL.replace("4/4/1", "9"),
            r"line 5: a face is three or more of the vertices 1",
        ),
        ("generic_neutral_mesh.obj", NEUTRAL.replace("4/4/1", "b"), r"line 5: a face"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nv 0 1 0\n", r"no faces"),
        ("neutral2.obj", NEUTRAL, r"generic_neutral_mesh\.obj and neutral2\.obj could both be the neutral face"),
    ],
)
def test_a_bad_obj_is_named_with_its_line(folder: Path, file: str, content: str, message: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(UserError, match=message):
        read_head(folder)


def test_a_folder_without_a_neutral_face_or_an_arkit_shape_is_refused(folder: Path) -> None:
    (folder / "generic_neutral_mesh.obj").rename(folder / "neutral.obj")
    for shape in folder.glob("[jmce]*.obj"):
        shape.unlink()
    with pytest.raises(UserError, match="none of its shapes is an ARKit blendshape; it has identity042"):
        read_head(folder)
    (folder / "neutral.obj").unlink()
    with pytest.raises(UserError, match=r"no file is the neutral face; name it neutral\.obj"):
        read_head(folder)


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "head.fbx").write_bytes(b"Kaydara FBX Binary")
    with pytest.raises(UserError, match=r"head\.fbx: not a head \(\.glb, .* Blender turns fbx into glb"):
        read_head(tmp_path / "head.fbx")
    with pytest.raises(UserError, match=r"no\.glb: no such file or folder"):
        read_head(tmp_path / "no.glb")


def test_the_head_we_ship_has_every_blendshape() -> None:
    if not DEFAULT_HEAD.is_file():
        pytest.skip("postprocess/face/neutral.glb is not made yet")
    head = read_head(DEFAULT_HEAD)
    assert head.channels == ARKIT
    assert not head.missing
