"""What a head's file says is checked before it is believed: its counts, indices, links, images and extensions."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.files import within
from postprocess.face.heads import open_head, read_head
from tests.heads import LIFT, SQUARE, GltfBuilder
from tests.helpers import CASES, needs_case, refused, refused_file

HOSTILE = CASES / "hostile"


@pytest.fixture
def builder() -> GltfBuilder:
    return GltfBuilder()


@pytest.fixture(params=[read_head, open_head], ids=["drawn", "exported"])
def reader(request: pytest.FixtureRequest) -> Any:
    return request.param


@needs_case("hostile")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("h_count.glb", "1000000000 rows without bytes"),
        ("h_count2.glb", "10000000000000 rows without bytes"),
        ("h_negidx.glb", "indices are whole numbers, not float32"),
        ("h_leak.gltf", "../secret.txt lies outside its folder"),
    ],
)
def test_hostile_files_are_refused_in_a_line(reader: Any, name: str, said: str) -> None:
    assert said in refused_file(reader, HOSTILE / name)


def add_accessor(builder: GltfBuilder, **described: Any) -> int:
    builder.tree["accessors"].append({"componentType": 5126, "type": "VEC3"} | described)
    return len(builder.tree["accessors"]) - 1


DAMAGE: dict[str, Any] = {
    "a count without bytes": lambda b: b.primitive["attributes"].update(POSITION=add_accessor(b, count=10**9)),
    "a count beyond its view": lambda b: b.tree["accessors"][0].update(count=10**12),
    "a count that is no number": lambda b: b.tree["accessors"][0].update(count="4"),
    "a negative count": lambda b: b.tree["accessors"][0].update(count=-4),
    "a negative offset": lambda b: b.tree["accessors"][0].update(byteOffset=-4),
    "a stride below a row": lambda b: b.tree["bufferViews"][0].update(byteStride=4),
    "a view beyond its buffer": lambda b: b.tree["bufferViews"][0].update(byteLength=10**9),
    "a mesh counted from the end": lambda b: b.tree["nodes"][0].update(mesh=-1),
    "a buffer counted from the end": lambda b: b.tree["bufferViews"][0].update(buffer=-1),
    "indices with a point": lambda b: b.primitive.update(indices=b.add(np.array([[0], [1], [2]], np.float32))),
    "negative indices": lambda b: b.primitive.update(indices=b.add(np.array([[0], [1], [-2]], np.int16))),
    "nodes in a circle": lambda b: b.tree.update(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}]),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_what_cannot_be_is_refused_before_memory_is_taken(
    reader: Any, builder: GltfBuilder, tmp_path: Path, how: str
) -> None:
    DAMAGE[how](builder)
    assert refused_file(reader, builder.save(tmp_path / "a.gltf")).startswith("damaged glTF (")


@pytest.mark.parametrize("values", [np.nan, np.inf, 1e30])
def test_vertices_that_are_nowhere_are_refused(builder: GltfBuilder, tmp_path: Path, values: float) -> None:
    builder.primitive["targets"][0]["POSITION"] = builder.add(np.where(LIFT > 0, np.float32(values), LIFT))
    assert (
        refused_file(read_head, builder.save(tmp_path / "a.gltf"))
        == "Face, JawOpen: farther than 100000 m; export it again"
    )
    builder.primitive["attributes"]["COLOR_0"] = builder.add(np.full((4, 3), np.nan, np.float32))
    assert "a colour of Face is not finite" in refused_file(read_head, builder.save(tmp_path / "a.gltf"))


def test_numbers_of_the_tree_are_finite_and_it_is_not_too_deep(
    reader: Any, builder: GltfBuilder, tmp_path: Path
) -> None:
    text = builder.save(tmp_path / "a.gltf").read_text()
    for bad in ("1e999", "NaN", "[" * 100_000):
        (tmp_path / "a.gltf").write_text(text.replace('"scene": 0', f'"scene": 0, "scale": {bad}'))
        assert refused_file(reader, tmp_path / "a.gltf") == "neither a glb nor a gltf file"


def test_files_outside_the_heads_folder_are_neither_read_nor_taken_along(
    reader: Any, builder: GltfBuilder, tmp_path: Path
) -> None:
    folder = tmp_path / "head"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(builder.data)
    file = builder.save(folder / "a.gltf")
    for uri in ("../secret.bin", "%2e%2e%2fsecret.bin", str(tmp_path / "secret.bin"), "a/../../secret.bin"):
        builder.tree["buffers"] = [{"byteLength": len(builder.data), "uri": uri}]
        file.write_text(json.dumps(builder.tree), encoding="utf-8")
        assert "lies outside its folder; copy it there" in refused_file(reader, file)
    builder.tree["buffers"][0]["uri"] = "textures/../mine.bin"
    (folder / "mine.bin").write_bytes(builder.data)
    file.write_text(json.dumps(builder.tree), encoding="utf-8")
    reader(file)


def test_a_link_that_leaves_a_folder_is_outside_it(tmp_path: Path) -> None:
    folder = tmp_path / "head"
    folder.mkdir()
    try:
        (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
        (folder / "circle").symlink_to(folder / "circle")
    except OSError:
        pytest.skip("no links here")
    assert within(folder, "link.bin") is None
    assert within(folder, "no\0name") is None
    assert within(folder, "b/mine.bin") == (folder / "b" / "mine.bin").resolve()


def test_a_shared_file_is_taken_along_once(builder: GltfBuilder, tmp_path: Path) -> None:
    (tmp_path / "skin.png").write_bytes(bytes(5000))
    builder.tree["images"] = [{"uri": "skin.png"} for _ in range(50)]
    document, _ = open_head(builder.save(tmp_path / "a.gltf"))
    assert len(document.data) < 10_000
    assert {image["bufferView"] for image in document.tree["images"]} == {len(builder.tree["bufferViews"])}


def test_an_image_of_too_many_pixels_is_refused_unread(builder: GltfBuilder, tmp_path: Path) -> None:
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    png = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(90_001))) + chunk(b"IEND", b"")
    )
    builder.primitive["attributes"]["TEXCOORD_0"] = builder.add(SQUARE[:, :2].copy())
    builder.primitive["material"] = 0
    builder.tree |= {
        "images": [{"bufferView": builder.view(png)}],
        "textures": [{"source": 0}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
    }
    line = refused_file(read_head, builder.save(tmp_path / "a.gltf"))
    assert line == "an image of more than 89,478,485 pixels; make it smaller"


@needs_case("03-glb-unknown-required-extension")
def test_a_head_as_gltfpack_writes_it_says_how_to_export_it(reader: Any) -> None:
    file = CASES / "03-glb-unknown-required-extension" / "head.glb"
    line = refused_file(reader, file)
    assert line == "compressed with KHR_meshopt_compression; export it without compression"


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression"])
def test_a_compressed_file_names_its_compression(reader: Any, builder: GltfBuilder, tmp_path: Path, name: str) -> None:
    builder.tree["extensionsRequired"] = [name]
    builder.tree["accessors"][0]["count"] = 10**9  # is not come to
    line = refused_file(reader, builder.save(tmp_path / "a.gltf"))
    assert line == f"compressed with {name}; export it without compression"


def test_other_extensions_that_a_file_asks_for_are_understood_or_named(
    reader: Any, builder: GltfBuilder, tmp_path: Path
) -> None:
    builder.tree["extensionsRequired"] = ["KHR_mesh_quantization", "KHR_materials_unlit", "VRMC_vrm"]
    reader(builder.save(tmp_path / "a.gltf"))
    builder.tree["extensionsRequired"].append("EXT_mesh_gpu_instancing")
    line = refused_file(reader, builder.save(tmp_path / "a.gltf"))
    assert line == "asks for EXT_mesh_gpu_instancing, which is not understood here; export it without"


def test_many_nodes_of_one_name_are_told_apart(builder: GltfBuilder, tmp_path: Path) -> None:
    builder.tree["nodes"] = [{"name": name, "mesh": 0} for name in ("a", "a_1", "a", "a", "a_1")]
    builder.tree["scenes"] = [{"nodes": list(range(5))}]
    names = [part.name for part in read_head(builder.save(tmp_path / "a.gltf")).parts]
    assert names == ["a", "a_1", "a_2", "a_3", "a_1_1"]


def test_too_many_vertices_to_draw_are_refused_before_they_are_read(builder: GltfBuilder, tmp_path: Path) -> None:
    many = np.zeros((60_000, 3), np.float32)
    builder.primitive["attributes"]["POSITION"] = builder.add(many)
    builder.primitive["targets"][0]["POSITION"] = builder.add(many + np.float32(0.1))
    builder.tree["nodes"] = [{"mesh": 0} for _ in range(10_000)]
    builder.tree["scenes"] = [{"nodes": list(range(10_000))}]
    assert "more than 1,000,000 vertices" in refused(read_head, builder.save(tmp_path / "a.gltf"))
