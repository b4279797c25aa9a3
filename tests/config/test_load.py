"""Configs: what ships loads, overrides win, and every mistake is one line with its place and mend."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from config.grid import load_grid
from config.load import DEFAULT, ROOT, load_config, save_config
from config.schema import PARTS, Config
from tests import helpers
from tests.helpers import CASES, needs_case

refused = partial(helpers.refused, load_config)

SHIPPED = sorted(set((ROOT / "config").glob("*.yml")) - {ROOT / "config" / "post.yml"})  # a chain of its own kind


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def written(text: str) -> Path:
        path = tmp_path / "my.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_loads_and_says_only_what_differs(path: Path) -> None:
    config = load_config(path)
    assert config.run.name == path.stem
    if path != DEFAULT:
        default, said = yaml.safe_load(DEFAULT.read_text()), yaml.safe_load(path.read_text())
        assert set(leaves(said)) < set(leaves(default))
        assert "train" not in said or said["train"] != default["train"]


def leaves(tree: object, keys: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(tree, dict):
        return [keys]
    return [leaf for key, value in tree.items() for leaf in leaves(value, (*keys, key))]


def schema_keys(model: type[BaseModel], keys: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found = []
    for name, field in model.model_fields.items():
        section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        found += schema_keys(field.annotation, (*keys, name)) if section else [(*keys, name)]  # type: ignore[arg-type]
    return found


def test_default_says_every_key_in_the_schemas_order() -> None:
    assert leaves(yaml.safe_load(DEFAULT.read_text())) == schema_keys(Config)


def test_the_reference_recipe() -> None:
    config = load_config(ROOT / "config" / "aiwin.yml")
    assert (config.data.fps, config.windows.window_frames, config.windows.stride_frames) == (25, 55, 10)
    assert (config.windows.min_tokens, config.data.require_transcripts) == (3, True)
    assert config.features.model == "TencentGameMate/chinese-hubert-large"
    assert (config.features.encoder, config.features.context, config.features.layer) == ("hubert", "window", -1)
    assert [domain.weight for domain in config.data.domains] == [3, 1]
    assert (config.model.width, config.domain_size, config.model.heads) == (64, 2, 2)
    assert (config.model.output, config.model.head_dropout, config.model.positional) == ("tanh", 0.1, "none")
    assert (config.loss.dtw, config.loss.mse, config.loss.l1, config.loss.velocity) == (1, 0, 0, 0)
    train = config.train
    assert (train.learning_rate, train.betas, train.clip_norm, train.weight_decay) == (1e-4, (0.5, 0.999), 0.1, 0)
    assert (train.batch_size, train.epochs, config.data.split.folds) == (128, 400, 5)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "run: {name: a}\ntrain:\n  lernrate: 1e-3\n",
            "3: lernrate: unknown key in train; did you mean learning_rate?",
        ),
        ("trian: {epochs: 3}\n", "1: trian: unknown key at the top; did you mean train?"),
        ("features:\n  logmel: {band: 40}\n", "2: band: unknown key in features.logmel; did you mean bands?"),
        ("data:\n  domains:\n  - {name: a, clips: [a], wait: 3}", "2: weight: missing in data.domains.0"),
        ("data:\n  domains:\n  - {name: a, clips: [a], weight: 1, clip: 1}", "did you mean clips?"),
        ("data: {domains: []}", "1: data.domains: tuple should have at least 1 item"),
        ("data: {domains: [{name: a, clips: [], weight: 1}, {name: a, clips: [], weight: 1}]}", "same name"),
        ("data: {domains: [{name: a, clips: [], weight: 0}]}", "1: data.domains.0.weight: input should be greater"),
        ("train: {epochs: many}", "1: train.epochs: input should be a valid integer, not 'many'"),
        ("train: {epochs: 20.5}", "1: train.epochs: input should be a valid integer, not 20.5"),
        ("train: {epochs: true}", "1: train.epochs: input should be a valid integer, not True"),
        ('train: {epochs: "20"}', "1: train.epochs: input should be a valid integer, not '20'"),
        ("train: {epochs: 0}", "1: train.epochs: input should be greater than or equal to 1, not 0"),
        ("train:\n  learning_rate: .nan", "2: train.learning_rate: input should be a"),
        ("train:\n  learning_rate: 1e999", "2: train.learning_rate: input should be a finite number"),
        ("train: {betas: [0.5]}", "1: 1: missing in train.betas"),
        ("run: {name: 7}", "1: run.name: input should be a valid string, not 7; put it in quotes"),
        ("run: {name: a/b}", "1: run.name: string should match pattern"),
        ("model:\n  channels: fase", "2: model.channels: input should be 'face', 'jaw'"),
        ("model: {width: 65}", "model.heads 4 does not divide model.width 65"),
        ("data: {split: {fold: 5}}", "1: data.split: fold 5 does not exist: 5 folds count from 0 to 4"),
        ("windows: {min_tokens: 3}", "windows.min_tokens needs data.require_transcripts"),
        ("features: {cache: a.lmdb}\ndata: {lmdb: a.lmdb}", "features.cache and data.lmdb are the same path"),
        ("loss: {dtw: 0, mse: 0, velocity: 0}", "every loss weight is 0"),
        ("data: {lmdb: ~nobody-of-this-name/a}", "data.lmdb: not a path: '~nobody-of-this-name/a'"),
        ("train: 3", "1: train: input should be an object, not 3"),
        ("train:\n  epochs: 3\n  epochs: 4\n", "3: train.epochs stands twice; keep one"),
        ("train: {epochs: 3}\nrun: {}\ntrain: {epochs: 3}\n", "3: train stands twice; keep one"),
        ("train: {epochs: [1}\n", "1: not YAML: "),
        ("train:\n\tepochs: 3\n", "2: not YAML: found character '\\t'"),
        ("run: {name: !!python/object:os.system x}", "1: !!python/object:os.system: a tag"),
        ("- train\n", "expected sections such as `train:`, found list"),
        ("[]", "expected sections such as `train:`, found list"),
        ("epochs", "expected sections such as `train:`, found str"),
    ],
)
def test_a_mistake_in_a_file(write: Callable[[str], Path], text: str, line: str) -> None:
    path = write(text)
    message = refused(path)
    assert line in message
    if line[0].isdigit():
        assert message.startswith(f"{path}, line {line}")


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("train.epoch=3", "on the command line: epoch: unknown key in train; did you mean epochs?"),
        ("train.epochs=x", "on the command line: train.epochs: input should be a valid integer, not 'x'"),
        ("train.epochs=", "on the command line: train.epochs: input should be a valid integer, not None"),
        ("train.epochs=-1", "on the command line: train.epochs: input should be greater than or equal to 1, not -1"),
        ("data.split.fold=9", "on the command line: data.split: fold 9 does not exist"),
        ("train=3", "on the command line: train: input should be an object, not 3"),
        ("epochs=3", "on the command line: epochs: unknown key at the top"),
        ("train.epochs", "train.epochs: expected section.key=value"),
        ("=3", "=3: expected section.key=value"),
        ("--resum=3", "--resum=3: expected section.key=value"),
        ("run.name=[a", "run.name=[a: not YAML: expected ',' or ']', but got '<stream end>'; quote it"),
    ],
)
def test_a_mistake_in_an_override(override: str, line: str) -> None:
    assert refused(DEFAULT, [override]).startswith(line)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.yml").startswith(f"{tmp_path / 'no.yml'}: No such file")
    assert refused(tmp_path).startswith(f"{tmp_path}: Is a directory")
    (tmp_path / "gbk.yml").write_bytes("run: {name: 你好}".encode("gbk"))
    assert "gbk.yml: not UTF-8 text" in refused(tmp_path / "gbk.yml")


def test_the_file_is_blamed_for_its_own_mistake_beside_a_good_override(write: Callable[[str], Path]) -> None:
    path = write("train:\n  learning_rate: fast\n")
    assert refused(path, ["train.epochs=3"]).startswith(f"{path}, line 2: train.learning_rate")


def test_overrides_win_over_the_file_and_the_last_one_over_the_others(write: Callable[[str], Path]) -> None:
    path = write("train: {epochs: 3, learning_rate: 1e-3}")
    config = load_config(path, ["train.epochs=4", "train.epochs=5", "data.split.val=[a, 1114_3_15]", "model.width=68"])
    assert (config.train.epochs, config.train.learning_rate) == (5, 1e-3)
    assert (config.data.split.val, config.data.split.folds) == (("a", "1114_3_15"), 5)
    assert (config.model.width, config.model.heads) == (68, 4)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), ("3e2", 300.0), ("2", 2.0), (".5", 0.5), ("1.", 1.0), ("+1.5e+1", 15.0)],
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    rate = load_config(DEFAULT, [f"train.learning_rate={text}"]).train.learning_rate
    assert (rate, type(rate)) == (value, float)


@pytest.mark.parametrize("name", ["1114_3_15", "007", "2024-01-31", "no", "on", "1:30", "0x1f", "1_000.5", "a-b.c"])
def test_text_that_older_yaml_takes_for_something_else_is_text(name: str) -> None:
    assert load_config(DEFAULT, [f"data.exclude=[{name}]"]).data.exclude == (name,)


def test_an_empty_file_and_an_empty_section_are_the_defaults(write: Callable[[str], Path]) -> None:
    assert (
        load_config(write(""))
        == load_config(write("# nothing\n"))
        == load_config(write("train:\n"))
        == load_config(DEFAULT)
    )
    assert load_config(write("\ufeffrun: {name: bom}\r\n")).run.name == "bom"


def test_paths_of_a_file_start_at_the_root_and_typed_ones_here(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write("run: {dir: runs}\ndata: {corpus: /somewhere/else, lmdb: ~/clips.lmdb}")
    config = load_config(path, ["features.cache=mine/../cache.lmdb"])
    assert config.run_dir == ROOT / "runs" / "default"
    assert config.data.corpus == (Path("/somewhere/else"),)
    assert config.data.lmdb == Path.home() / "clips.lmdb"
    assert config.features.cache == tmp_path.resolve() / "cache.lmdb"


def test_a_corpus_is_a_folder_or_a_list_of_folders(
    write: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write("data: {corpus: [mine, /somewhere/else]}")
    config = load_config(path)
    assert config.data.corpus == (ROOT / "mine", Path("/somewhere/else"))
    assert config.data.corpora == f"{ROOT / 'mine'}, {Path('/somewhere/else')}"
    save_config(config, tmp_path / "saved.yml")
    assert yaml.safe_load((tmp_path / "saved.yml").read_text())["data"]["corpus"][0] == "mine"
    assert load_config(tmp_path / "saved.yml") == config
    here = tmp_path.resolve()
    assert load_config(path, ["data.corpus=[one, two]"]).data.corpus == (here / "one", here / "two")
    assert load_config(path, ["data.corpus=one"]).data.corpus == (here / "one",)


@pytest.mark.parametrize("said", ["[]", "7", "[mine, 7]", "null"])
def test_a_corpus_that_is_no_folder_is_refused(write: Callable[[str], Path], said: str) -> None:
    path = write(f"data:\n  corpus: {said}")
    assert refused(path).startswith(f"{path}, line 2: data.corpus")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_saved_config_comes_back_the_same_and_holds_no_path_to_the_root(path: Path, tmp_path: Path) -> None:
    config = load_config(path, ["run.name='1e-4'", "train.learning_rate=3e-7", "data.exclude=['007', 'null', 你好]"])
    save_config(config, tmp_path / "config.yml")
    assert load_config(tmp_path / "config.yml") == config
    assert str(ROOT) not in (tmp_path / "config.yml").read_text(encoding="utf-8")


def test_a_saved_config_says_every_key(tmp_path: Path) -> None:
    save_config(load_config(DEFAULT), tmp_path / "config.yml")
    assert leaves(yaml.safe_load((tmp_path / "config.yml").read_text())) == schema_keys(Config)


def test_the_one_hot_fills_up_so_that_the_heads_divide_the_width() -> None:
    domain = "{name: NAME, clips: [x], weight: 1}"

    def size(domains: int, heads: int = 2, *more: str) -> int:
        names = ", ".join(domain.replace("NAME", f"d{number}") for number in range(domains))
        return load_config(DEFAULT, [f"data.domains=[{names}]", f"model.heads={heads}", *more]).domain_size

    assert [size(1), size(2), size(3), size(5, 4)] == [0, 2, 4, 8]
    assert size(2, 2, "model.domain_one_hot=false") == 0


def test_the_domains_vector_may_be_of_any_size_that_the_heads_divide() -> None:
    assert load_config(DEFAULT, ["model.domain_size=8"]).domain_size == 8
    assert load_config(DEFAULT, ["model.domain_size=8", "model.domain_one_hot=false"]).domain_size == 0
    assert "model.heads 4 does not divide model.domain_size 6" in refused(DEFAULT, ["model.domain_size=6"])


def test_the_parts_to_freeze_are_the_decoders_that_learn() -> None:
    from model.decoder import build_decoder

    domains = "data.domains=[{name: a, clips: [a], weight: 1}, {name: b, clips: [b], weight: 1}]"
    config = load_config(DEFAULT, [domains, "text.stream=phones", "model.decoder_layers=1"])
    learning = {name.split(".")[0] for name, _ in build_decoder(config, 6, 5).named_parameters()}
    assert learning == set(PARTS)
    line = "on the command line: train: freeze: projct: unknown part; did you mean project?"
    assert refused(DEFAULT, ["train.freeze=[projct]"]) == line
    assert refused(DEFAULT, ["train.freeze=[xyz]"]).endswith(f"unknown part; known: {', '.join(PARTS)}")
    assert "names every part" in refused(DEFAULT, [f"train.freeze=[{', '.join(PARTS)}]"])


LAUGHS = "".join(f"{name}: &{name} [{'x' if not n else ','.join(['*' + 'abcdefghi'[n - 1]] * 10)}]\n" for n, name in
                 enumerate("abcdefghi"))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (LAUGHS, "2: *a: an alias, which is not taken; write out what it stands for"),
        ("train: &t\n  epochs: *t\n", "2: *t: an alias"),
        ("train: {epochs: !!int x}\n", "1: !!int: a tag, which is not taken"),
        ("train: {epochs: !!bool maybe}\n", "1: !!bool: a tag"),
        ("run: {}\ntrain: {epochs: !!timestamp x}\n", "2: !!timestamp: a tag"),
        ("train: {epochs: " + "9" * 5000 + "}\n", "1: a number of 5,000 characters"),
        ("train: " + "[" * 3000, "1: more than 20 lists or mappings inside each other"),
        ("\n1: [train.ema=0]\n", "2: 1: a key must be text, such as a name; put it in quotes"),
        ("train: {1e-320: 3}\n", "1: 1e-320: a key must be text"),
        ("99999999999999999999: 3\n", "1: 99999999999999999999: a key must be text"),
        ("? [a, b]\n: 3\n", "1: a list or a mapping: a key must be text"),
        ('"a\\nb": 3\n', "1: a\\nb: a key must be text"),
        ('run: {name: "\\uD800"}', "not UTF-8 text"),
        ('run: {name: "\\UFFFFFFFF"}', "not YAML: an escape stands for no character"),
        ("run: {name: ..}", "1: run.name: string should match pattern"),
        ("run: {name: " + "a" * 300 + "}", "1: run.name: string should have at most 100 characters"),
    ],
)
def test_what_no_persons_file_needs_is_one_line(write: Callable[[str], Path], text: str, line: str) -> None:
    path = write(text)
    message = refused(path)
    assert message.startswith(f"{path}, line {line}" if line[0].isdigit() else f"{path}") and line in message
    assert len(message) < len(str(path)) + 250


@pytest.mark.parametrize(
    "value", ["*a", "!!int x", "9" * 5000, "[" * 3000, "{1: 2}", '"\\UFFFFFFFF"', "\x00", "a\nb: c: d"]
)
def test_an_override_is_read_by_the_same_rules(value: str) -> None:
    message = refused(DEFAULT, [f"train.epochs={value}"])
    assert message.startswith("train.epochs=") and len(message) < 300


def test_an_override_of_endless_depth_or_of_bytes_that_are_no_text() -> None:
    assert "expected section.key=value" in refused(DEFAULT, [".".join("a" * 3000) + "=1"])
    assert "expected section.key=value" in refused(DEFAULT, ["a\nb=1"])
    assert refused(DEFAULT, ["run.name=\udcff"])


def boundless() -> list[str]:
    """The keys of a config that take a number without a largest value."""
    schema = Config.model_json_schema()
    return [
        f"{name}.{key}"
        for name, section in schema["$defs"].items()
        for key, field in section["properties"].items()
        for kind in (*field.get("anyOf", ()), *field.get("prefixItems", ()), field)
        if kind.get("type") in ("integer", "number") and not {"maximum", "exclusiveMaximum"} & set(kind)
    ]


def test_every_number_has_a_largest_value() -> None:
    assert boundless() == []
    assert "1000000000" in refused(DEFAULT, ["train.epochs=1000000000000"])


@needs_case("hostile")
@pytest.mark.parametrize("name", ["y_laughs", "y_alias_self", "y_int_tag", "y_bool_tag"])
def test_the_shared_hostile_files(name: str) -> None:
    path = CASES / "hostile" / f"{name}.yml"
    assert refused(path).startswith(f"{path}, line ")


@needs_case("hostile")
def test_the_shared_grid_of_a_key_that_is_a_number() -> None:
    path = CASES / "hostile" / "g_int_key.yml"
    assert (
        helpers.refused(load_grid, path) == f"{path}, line 1: 1: a key must be text, such as a name; put it in quotes"
    )


def test_a_grids_name_is_one_path_part(write: Callable[[str], Path]) -> None:
    for name in ("..", "a/b", "a" * 101):
        assert "it names a folder" in helpers.refused(load_grid, write(f"{name}: [train.ema=0]"))
