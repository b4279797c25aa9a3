"""The benchmark's stages: what decides how fast training and scoring are, each part beside a plain baseline."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import fastdtw as package
import numpy as np
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from config.errors import UserError
from config.suggest import nearest
from config.units import SAMPLE_RATE
from dataset.blendshapes import FACE
from dataset.dtw import fastdtw
from dataset.windows import window_starts
from model.bench.per_cell import per_cell_loss
from model.bench.stopwatch import median_s, seconds
from model.bench.timings import Effort, Timing
from model.bench.workloads import (
    PlainDecoder,
    forward_backward,
    plain_batch,
    plain_synthesis,
    random_hubert,
    training_on_noise,
    with_plain_layers,
    write_noise,
)
from model.dtw_loss import Mode
from model.dtw_loss import dtw_loss as our_loss
from model.hubert import HubertEncoder
from model.run_state import RunState
from model.speech_encoder import encode_clip
from model.synthesis import Synthesizer
from model.training import step

BATCH, FRAMES = 128, 55  # the reference method's batch and window
CLIPS, CLIP_FRAMES = 100, 250  # 10 s each at 25 fps
CORPUS_CLIPS, CORPUS_CLIP_S = 32, 20.0  # noise to train on
SPEECH_S = 60.0
ENCODED_S = 10  # of speech, for the big encoder
HUBERT_GFLOP_PER_S = 36  # of HuBERT-large, a second of audio
SEED = 0

Stage = Callable[[Effort], Timing]
STAGES: dict[str, Stage] = {}  # by name
LEFT_OUT_BY_QUICK: set[str] = set()


def stage(function: Stage) -> Stage:
    """Add a stage to the benchmark, under its function's name."""
    STAGES[function.__name__] = function
    return function


def thorough(function: Stage) -> Stage:
    """Add a stage that a quick run leaves out, unless it is asked for by name."""
    LEFT_OUT_BY_QUICK.add(function.__name__)
    return stage(function)


@stage
def dtw_loss(effort: Effort) -> Timing:
    """The exact DTW loss, forward and backward."""
    return _time_loss(effort, "exact", FRAMES)


@stage
def dtw_loss_fastdtw(effort: Effort) -> Timing:
    """The same along FastDTW's path."""
    return _time_loss(effort, "fastdtw", FRAMES)


@thorough
def dtw_loss_110(effort: Effort) -> Timing:
    """The exact loss of windows twice as long."""
    return _time_loss(effort, "exact", 110)


@thorough
def dtw_loss_220(effort: Effort) -> Timing:
    """The exact loss of windows four times as long."""
    return _time_loss(effort, "exact", 220)


@thorough
def dtw_loss_1000(effort: Effort) -> Timing:
    """The exact loss of whole clips of 40 s."""
    return _time_loss(effort, "exact", 1000)


def _time_loss(effort: Effort, mode: Mode, frames: int) -> Timing:
    prediction, target = _loss_batch(frames)

    def work() -> None:
        prediction.grad = None
        our_loss(prediction, target, mode=mode).backward()

    repeats = max(effort.repeats(200) * FRAMES // frames, 3)
    median = median_s(work, repeats, warm_up=min(repeats, 10))
    what = f"{mode}, forward + backward, {tuple(prediction.shape)}"
    some = effort.quick or frames > FRAMES
    return Timing(median, repeats, what, *_per_cell_baseline(min(8, BATCH) if some else BATCH, frames))


def _loss_batch(frames: int) -> tuple[Tensor, Tensor]:
    """(BATCH, frames, channels) twice: smooth curves with the normalised values that training sees."""
    generator = torch.Generator().manual_seed(SEED)
    steps = torch.randn(2, BATCH, frames, len(FACE), generator=generator)
    prediction, target = (steps.cumsum(dim=2) / frames**0.5).unbind()
    return prediction.contiguous().requires_grad_(), target.contiguous()


@lru_cache
def _per_cell_baseline(items: int, frames: int) -> tuple[float, str]:
    """The per-cell loss, timed once over the first items and scaled to the whole batch → seconds, how it was found."""
    prediction, target = (batch[:items].detach() for batch in _loss_batch(frames))
    prediction.requires_grad_()
    (taken,) = seconds(lambda: per_cell_loss(prediction, target).backward(), repeats=1, warm_up=0)
    how = "once" if items == BATCH else f"once, {items} of {BATCH} items, scaled"
    return taken * BATCH / items, f"per-cell torch FastDTW, {how}"


@stage
def contest_score(effort: Effort) -> Timing:
    """The contest's score of a test set."""
    generator = np.random.default_rng(SEED)
    clips = np.cumsum(generator.normal(size=(CLIPS, 2, CLIP_FRAMES, len(FACE))), axis=2) / 100
    repeats, compared = effort.repeats(30), clips[: effort.repeats(10)]
    median = median_s(lambda: [fastdtw(x, y) for x, y in clips], repeats, warm_up=1)
    start = time.perf_counter()
    expected = [package.fastdtw(x, y, dist=lambda a, b: np.mean((a - b) ** 2))[0] for x, y in compared]
    plain = (time.perf_counter() - start) / len(compared) * CLIPS
    difference = max(abs(fastdtw(x, y)[0] - score) for (x, y), score in zip(compared, expected, strict=True))
    what = f"FastDTW radius 1 of {CLIPS} clips ({CLIP_FRAMES}, {len(FACE)})"
    how = f"fastdtw package, {len(compared)} clips, scaled"
    return Timing(median, repeats, what, plain, how, {"largest_difference": difference})


@stage
def train_step(effort: Effort) -> Timing:
    """A step of the reference recipe: loader, decoder, DTW loss, clipping, optimiser, notes for the log."""
    with TemporaryDirectory() as folder:
        run = _reference_run(Path(folder), effort)
        batch = next(run.batches())
        with FlopCounterMode(display=False) as counter:
            forward_backward(run.decoder, batch)
        rounds = [pair for _ in range(1 if effort.quick else 2) for pair in _steps_beside_bare_ones(run)]
        plain_model = PlainDecoder().train()
        plain = median_s(lambda: forward_backward(plain_model, batch), 3, warm_up=1)
    loss, how = _per_cell_baseline(min(8, BATCH) if effort.quick else BATCH, FRAMES)
    step_s, bare_s = map(statistics.median, zip(*rounds, strict=True))
    gflop = counter.get_total_flops() / 1e9
    figures = {"bare_s": bare_s, "overhead": step_s / bare_s, "gflop": gflop, "gflop_per_s": gflop / bare_s}
    baseline = f"torch's layers, forward + backward, and {how}"
    return Timing(step_s, len(rounds), _reference_recipe(), plain + loss, baseline, figures)


@stage
def train_step_layers(effort: Effort) -> Timing:
    """The same step beside one that has the same loss, and torch's own layers: what ours are worth."""
    with TemporaryDirectory() as folder:
        ours = _reference_run(Path(folder, "ours"), effort)
        plain = with_plain_layers(_reference_run(Path(folder, "plain"), effort))
        taken: dict[RunState, list[float]] = {ours: [], plain: []}
        for batch in ours.batches():
            for run, times in taken.items():
                times += seconds(partial(step, run, batch), repeats=1, warm_up=0)
    # The first step warms up, the last has a batch that is short.
    ours_s, plain_s = (statistics.median(times[1:-1]) for times in taken.values())
    baseline = "the same with torch's layers and dropout, step by step in turn"
    return Timing(ours_s, len(taken[ours]) - 2, f"{_reference_recipe()}, without the loader", plain_s, baseline)


def _reference_recipe() -> str:
    return f"config/aiwin.yml, batch {BATCH}, cached features"


def _reference_run(folder: Path, effort: Effort) -> RunState:
    """A run of the reference recipe on a corpus of noise."""
    run = training_on_noise(folder, effort.part(CORPUS_CLIPS), CORPUS_CLIP_S, f"train.batch_size={BATCH}")
    run.model.train()
    return run


def _steps_beside_bare_ones(run: RunState) -> list[tuple[float, float]]:
    """(seconds of a step, its wait for the batch included; of a bare forward and backward of it), over an epoch.

    Side by side, so that what else the machine does is in both. The first step, which warms up, and short batches are
    left out.
    """
    taken = []
    run.batch = 0
    start = time.perf_counter()
    for batch in run.batches():
        step(run, batch)
        whole = time.perf_counter() - start
        (bare,) = seconds(partial(forward_backward, run.decoder, batch), repeats=1, warm_up=0)
        if len(batch.domain) == run.config.train.batch_size:
            taken.append((whole, bare))
        start = time.perf_counter()
    return taken[1:]


@stage
def loader(effort: Effort) -> Timing:
    """An epoch's windows from LMDB to tensors, in the main process."""
    figures, clips, repeats = {}, effort.part(CORPUS_CLIPS), effort.repeats(20)
    with TemporaryDirectory() as folder:
        for context in ("clip", "window"):
            run = training_on_noise(Path(folder, context), clips, CORPUS_CLIP_S, f"features.context={context}")
            windows = len(run.data.train)
            median = median_s(partial(_exhaust, run), repeats, warm_up=1)
            figures[f"windows_per_s_{context}"] = windows / median

        first = run.data.train.examples[:BATCH]
        plain = median_s(lambda: plain_batch(run, first), 3, warm_up=1) * windows / len(first)
    what = f"{windows:,} windows of ({FRAMES}, 1024) features, cached a window each"
    baseline = "a window at a time, its clip decoded for it, one batch, scaled"
    return Timing(median, repeats, what, plain, baseline, figures)


def _exhaust(run: RunState) -> None:
    for _ in run.batches():
        pass


@stage
def synthesis_logmel(effort: Effort) -> Timing:
    """A wav to curves by the weights that the repository ships, loaded."""
    synthesizer, repeats = Synthesizer(device="cpu"), effort.repeats(20)
    with TemporaryDirectory() as folder:
        wav = Path(folder) / "noise.wav"
        write_noise(wav, SPEECH_S)
        median = median_s(lambda: synthesizer.synthesize(wav), repeats)
        plain = median_s(lambda: plain_synthesis(synthesizer, wav), 3, warm_up=1)
    what = f"{SPEECH_S:g} s of sound, windows that overlap by half"
    baseline = "the same windows one at a time, each heard on its own"
    return Timing(median, repeats, what, plain, baseline, {"rtf": median / SPEECH_S})


@thorough
def encoder_fp32(effort: Effort) -> Timing:
    """HuBERT-large over a whole clip, once, as the feature cache is filled."""
    return _time_encoder(effort, "fp32")


@thorough
def encoder_int8(effort: Effort) -> Timing:
    """The same with its linear layers in int8."""
    return _time_encoder(effort, "int8")


def _time_encoder(effort: Effort, precision: str) -> Timing:
    audio = torch.randn(ENCODED_S * SAMPLE_RATE, generator=torch.Generator().manual_seed(SEED)) / 10
    with TemporaryDirectory() as folder:
        plain = random_hubert(Path(folder))
        encoder = HubertEncoder(folder, precision=precision)
        encoder.load()  # while the folder is there
    windows = len(window_starts(ENCODED_S * 25, FRAMES, 10))
    window = audio[None, : FRAMES * SAMPLE_RATE // 25]
    window_s = median_s(lambda: plain(window), 3, warm_up=1)
    repeats = effort.repeats(7)
    median = median_s(lambda: encode_clip(encoder, audio, 25.0), repeats, warm_up=2)
    return Timing(
        median,
        repeats,
        f"{precision}, a clip of {ENCODED_S} s, HuBERT-large with random weights",
        windows * window_s,
        f"transformers in fp32, {windows} windows of {FRAMES} frames at 25 fps, 10 apart, one timed and scaled",
        {"rtf": median / ENCODED_S, "gflop_per_s": HUBERT_GFLOP_PER_S * ENCODED_S / median},
    )


def chosen(names: Sequence[str] | None, effort: Effort) -> list[str]:
    """These stages, each once; None: all, or those that a quick run has time for. Raises UserError for no stage."""
    if names is None:
        return [name for name in STAGES if not (effort.quick and name in LEFT_OUT_BY_QUICK)]
    for name in names:
        if name not in STAGES:
            raise UserError(f"--stages {name}: no such stage; there are {', '.join(STAGES)}{nearest(name, [*STAGES])}")
    return list(dict.fromkeys(names))


def time_stages(names: Sequence[str], effort: Effort) -> dict[str, Timing]:
    """What each stage measured, in turn, behind a bar of progress."""
    timings = {}
    for name in (bar := tqdm(names, unit="stage", disable=None, leave=False)):
        bar.set_description(name)
        timings[name] = STAGES[name](effort)
    return timings
