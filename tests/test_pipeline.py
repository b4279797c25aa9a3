"""The whole way by the real commands, from packing to scores and a plot; and every example that is given of them."""

import importlib
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from config import command
from config.command import run
from config.load import load_config
from dataset.blendshapes import ARKIT, EYE, FACE, GROUPS, read_csv
from dataset.stats import load_stats
from dataset.store import ClipStore
from model.checkpoint import load_checkpoint
from scripts import demo
from tests.helpers import ROOT, run_command
from tests.test_imports import COMMANDS

CONFIGS = sorted(path for path in (ROOT / "config").glob("*.yml") if path.name != "post.yml")
HELD_OUT, TRAINED_ON = {"en_001"}, {"en_002", "zh_001", "zh_002", "zh_003"}  # fold 0 of 5
FPS = 30


def curves(folder: Path) -> dict[str, np.ndarray]:
    """Clip → (frames, 52)."""
    return {path.stem: read_csv(path, required=ARKIT).select(ARKIT) for path in sorted(folder.glob("*.csv"))}


def losses(run_folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run_folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run a command's main in this process; gives what it prints."""

    def run_typed(line: str) -> str:
        script, *arguments = shlex.split(line)
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        run(importlib.import_module(script.removesuffix(".py").replace("/", ".")).main)
        return capsys.readouterr().out

    return run_typed


@pytest.fixture(scope="module")
def predictions(demo_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every wav of the demo run synthesized with its transcript, from another working directory than the root."""
    folder, checkpoint = tmp_path_factory.mktemp("predictions"), demo_run / "result" / "demo" / "best.safetensors"
    given = ("--wav_path", demo_run / "corpus" / "wav", "--transcript_path", demo_run / "corpus" / "tsv")
    script = ROOT / "scripts" / "synthesize.py"
    done = run_command(folder, script, "--ckpt_path", checkpoint, *given, "--out_path", "csvs")
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^csvs/\w+\.csv: \d+ frames at 30 fps, [\d.]+ s of compute per", done.stdout, re.M)) == 5
    return folder / "csvs"


def test_pack_and_train_leave_what_the_next_stage_needs(demo_run: Path) -> None:
    store = ClipStore(demo_run / "clips.lmdb")
    assert {clip.id for clip in store.clips} == HELD_OUT | TRAINED_ON
    assert (demo_run / "pack.log").read_text() == ""
    run_folder = demo_run / "result" / "demo"
    config = load_config(run_folder / "config.yml")
    assert config.data.lmdb == demo_run / "clips.lmdb" and config.train.epochs == 1
    stats = load_stats(run_folder / "best.safetensors")
    assert set(stats.clips) == TRAINED_ON
    assert stats == load_checkpoint(run_folder / "best.safetensors")[0].stats
    assert {row["split"] for row in losses(run_folder)} == {"step", "train", "val"}
    assert not list(demo_run.rglob("*.partial"))


def test_from_the_root_as_modules_the_same_comes_out(demo_run: Path, predictions: Path, tmp_path: Path) -> None:
    for line in (
        f"data_process.pack --config config/demo.yml data.corpus={demo_run}/corpus data.lmdb={tmp_path}/clips.lmdb",
        f"scripts.train --config config/demo.yml data.lmdb={tmp_path}/clips.lmdb features.cache={tmp_path}/features "
        f"run.dir={tmp_path} windows.window_frames=55 train.epochs=1",
        f"scripts.synthesize --ckpt_path {tmp_path}/demo/best.safetensors --wav_path {demo_run}/corpus/wav/zh_001.flac "
        f"--out_path {tmp_path}/zh_001.csv",
    ):
        done = run_command(ROOT, "-m", *shlex.split(line))
        assert done.returncode == 0, done.stderr
    one, two = ClipStore(demo_run / "clips.lmdb"), ClipStore(tmp_path / "clips.lmdb")
    assert one.clips == two.clips
    assert all(one[clip.id].to_bytes() == two[clip.id].to_bytes() for clip in one.clips)
    assert losses(demo_run / "result" / "demo") == losses(tmp_path / "demo")
    assert (tmp_path / "zh_001.csv").read_bytes() == (predictions / "zh_001.csv").read_bytes()


def test_the_whole_way(
    demo_run: Path, predictions: Path, tmp_path: Path, typed: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bs, checkpoint = demo_run / "corpus" / "bs", demo_run / "result" / "demo" / "best.safetensors"
    raw, recorded = curves(predictions), curves(bs)
    wavs = {path.stem: path for path in (demo_run / "corpus" / "wav").iterdir()}
    lengths = {clip: round(soundfile.info(wav).duration * FPS) for clip, wav in wavs.items()}
    assert {clip: len(values) for clip, values in raw.items()} == lengths
    face = [ARKIT.index(name) for name in FACE]
    eyes = [ARKIT.index(name) for name in EYE]
    for values in raw.values():
        assert values.min() >= 0 and values.max() <= 1
        assert not values[:, eyes].any() and values[:, face].std(axis=0).max() > 0.01

    frames = f"{sum(lengths.values()):,} frames"
    assert typed(f"postprocess/smooth.py --input {predictions} --output smoothed") == (
        f"smoothed 5 files, {frames}: smoothed\n"
    )
    smoothed = curves(tmp_path / "smoothed")
    for clip, values in raw.items():
        assert np.abs(np.diff(smoothed[clip], 3, axis=0)).sum() < np.abs(np.diff(values, 3, axis=0)).sum()

    assert f"deflated 5 files, {frames}" in typed(
        f"postprocess/deflate.py --input smoothed --output deflated --ceilings {checkpoint}"
    )
    ceilings = load_stats(checkpoint).max
    for clip, values in curves(tmp_path / "deflated").items():
        before, moving = smoothed[clip], np.ptp(smoothed[clip], axis=0) > 0
        expected = before.max(axis=0) + 0.001 * (ceilings - before.max(axis=0))
        np.testing.assert_allclose(values.max(axis=0)[moving], expected[moving], atol=2e-6)

    assert f"mixed 5 files, {frames}" in typed(
        f"postprocess/ensemble.py --input {predictions} deflated --weights 0.3 0.7 --output mixed"
    )
    mixed = curves(tmp_path / "mixed")
    for clip, values in curves(tmp_path / "deflated").items():
        np.testing.assert_allclose(mixed[clip], 0.3 * raw[clip] + 0.7 * values, atol=1e-6)

    said = typed(f"postprocess/add_eye.py --input mixed --eyes {bs} --output final")
    assert f"added eyes to 5 files, {frames}" in said
    final = curves(tmp_path / "final")
    for clip, values in final.items():
        donor = min((length, name) for name, length in lengths.items() if length >= len(values))[1]
        np.testing.assert_array_equal(values[:, eyes], recorded[donor][: len(values), eyes])
        np.testing.assert_array_equal(values[:, face], mixed[clip][:, face])

    said = typed(
        f"scripts/evaluate.py --predictions final --targets {bs} --stats {checkpoint} --unseen --json scores.json"
    )
    assert "(mean face)" in said and f"scored 1 clip, {lengths['en_001']} frames: scores.json" in said
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert set(scores["clips"]) == HELD_OUT
    assert 0 < scores["mean"]["contest"] == scores["clips"]["en_001"]["contest"] < 100

    plot = f"scripts/plot.py --csv final/en_001.csv --wav {wavs['en_001']} --target {bs}/en_001.csv"
    said = typed(f"{plot} --transcript_path {demo_run}/corpus/tsv/en_001.tsv --out_path en_001.png")
    assert said.endswith("plotted 6 channels over 4.5 s: en_001.png\n")
    assert (tmp_path / "en_001.png").read_bytes().startswith(b"\x89PNG")
    made = {"smoothed", "deflated", "mixed", "final", "scores.json", "en_001.png"}
    assert {path.name for path in tmp_path.iterdir()} == made


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_shipped_config_makes_a_decoder_and_its_losses(path: Path) -> None:
    import torch

    from dataset.windows import Batch
    from model.decoder import build_decoder
    from model.learner import Learner
    from model.losses import LipGap, compute_losses

    config = load_config(path)
    channels, frames = len(GROUPS[config.model.channels]), config.windows.window_frames
    decoder = build_decoder(config, 24, channels)
    heard = frames + (sum(decoder.delays.margin) if decoder.delays else 0)
    domain, phones = torch.tensor([0, len(config.data.domains) - 1]), torch.ones(2, frames, dtype=torch.int8)
    batch = Batch(torch.randn(2, heard, 24), torch.randn(2, frames, channels), domain, phones=phones)
    prediction = Learner(decoder, config.loss)(batch.features, batch.domain)
    assert prediction.curves.shape == (2, frames, channels)
    total = compute_losses(prediction, batch, config.loss, LipGap(torch.ones(channels), 0.0))["total"]
    total.backward()
    assert total.isfinite() and all(weight.grad is not None for weight in decoder.parameters())


def module_of(path: Path) -> str:
    """As a person names it after python -m: a folder's __main__.py by the folder."""
    return ".".join(path.with_suffix("").parts).removesuffix(".__main__")


def main_of(module: str) -> Callable[[], None]:
    folder = (ROOT / Path(*module.split("."))).is_dir()
    return importlib.import_module(f"{module}.__main__" if folder else module).main


class ParsedError(Exception):
    """The command line was understood; there is no need to do the work."""


@pytest.fixture
def understand(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Fails unless a command line names a command of ours whose parser takes it, and a config that is there."""
    parse = command._Parser.parse_args

    def parse_only(self: command._Parser, *arguments: object) -> None:
        parse(self, *arguments)
        raise ParsedError

    monkeypatch.setattr(command._Parser, "parse_args", parse_only)

    def understood(line: str) -> None:
        ours = re.search(r" ((?:data_process|postprocess|scripts)[./]\S+)(.*)", line)  # after python, a launcher, -m
        assert ours, line
        name, words = ours[1], shlex.split(ours[2], comments=True)
        module = name.removesuffix(".py").replace("/", ".")
        assert module in {module_of(path) for path in COMMANDS}, line
        for word in words:
            assert not re.match(r"config/(?!mine)[\w/]+\.yml", word) or (ROOT / word).is_file(), line
        monkeypatch.setattr(sys, "argv", [name, *words])
        with pytest.raises(ParsedError):
            main_of(module)()

    return understood


@pytest.mark.parametrize("path", COMMANDS, ids=str)
def test_help_shows_examples_that_the_command_takes(
    path: Path, understand: Callable[[str], None], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(path)
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        main_of(module)()
    assert ended.value.code == 0
    examples = [line.strip() for line in capsys.readouterr().out.partition("\nexamples:\n")[2].splitlines()]
    assert examples
    for example in examples:
        assert str(path) in example or module in example, "an example of another command"
        understand(example)


@pytest.mark.parametrize("step", demo.STEPS)
def test_every_step_of_the_demo_is_understood(step: str, understand: Callable[[str], None]) -> None:
    understand(f"python {demo.STEPS[step]}")


ROOMS_PAGES = ("result/*.md", "result/*/README.md", "postprocess/integrations/**/README.md")
PAGES = sorted([*ROOT.glob("*.md"), *(page for pattern in ROOMS_PAGES for page in ROOT.glob(pattern))])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_on_the_pages_is_understood(page: Path, understand: Callable[[str], None]) -> None:
    text = re.sub(r"\\\n\s*", "", page.read_text(encoding="utf-8"))
    for line in re.findall(r"`python [^`\n]+`|^[^`\n]*\bpython [^`\n]+$", text, re.M):
        if re.search(r" (data_process|postprocess|scripts)[./]\w", line):
            understand(line.strip("`"))
