"""Give each token of a corpus's transcripts its time: text/ and wav/ → tsv/, by forced alignment or by energy; or find
the phones of a sound without any transcript: wav/ → phones/."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from config.command import parser, run
from config.errors import UserError
from config.files import by_stem, written_whole
from config.processes import own_name
from config.units import SAMPLE_RATE
from data_process.heard_phones import phones_heard
from data_process.stages import Item, StageReport, parallel, pending, run_stage, stage_arguments
from data_process.transcripts import read_text
from dataset.audio import read_audio, read_int16, sample_count, write_wav
from dataset.corpus import Corpus
from dataset.phone_recogniser import log_probabilities, recogniser_name, symbols
from dataset.tokens import tokenize
from dataset.transcript import Word, check_within, write_tsv

VERSION = 1  # to raise when the same text and sound would get other times
MFA_PACKAGE = '"montreal-forced-aligner<4"'  # 4 changes what `mfa align` takes
LOG = "align.log"
GRID_SUFFIX = ".TextGrid"
_Work = Callable[[Item], dict[str, float]]


@dataclass(frozen=True)
class Mfa:
    """How to run the Montreal Forced Aligner, and with what."""

    command: str
    acoustic_model: str
    dictionary: str


def main() -> None:
    arguments = parser(
        __doc__,
        """python -m data_process.align --corpus data/mine
        python -m data_process.align --corpus data/mine --mfa "conda run -n aligner mfa"
        python -m data_process.align --corpus data/mine --textgrids grids/
        python -m data_process.align --corpus data/mine --aligner energy
        python -m data_process.align --corpus data/mine --aligner phones""",
    )
    arguments.add_argument("--corpus", type=Path, required=True, help="has wav/<clip>.* and text/<clip>.txt; gets tsv/")
    aligners = "energy: no tool, rough times; phones: heard, without text/, to phones/ (requirements-phones.txt)"
    arguments.add_argument("--aligner", choices=("mfa", "energy", "phones"), default="mfa", help=aligners)
    arguments.add_argument("--textgrids", type=Path, help="folder of <clip>.TextGrid to take instead of aligning")
    arguments.add_argument("--mfa", default="mfa", help="command that runs the Montreal Forced Aligner")
    arguments.add_argument("--acoustic_model", default="mandarin_mfa", help="of mfa, a name or a path")
    arguments.add_argument("--dictionary", default="mandarin_mfa", help="of mfa, a name or a path")
    stage_arguments(arguments)
    options = arguments.parse_args()

    if options.aligner == "phones":
        if options.textgrids:
            raise UserError("--aligner phones hears the sound and reads no --textgrids; give one of the two")
        close(options.corpus, hear_phones(options.corpus, options.jobs, options.strict), [])
        return
    items, dropped = find_items(options.corpus, options.textgrids)
    if dropped and options.strict:
        raise UserError(dropped[0])
    if options.textgrids:
        report = align_from_grids(options.corpus, items, options.textgrids, options.jobs, options.strict)
    elif options.aligner == "mfa":
        mfa = Mfa(options.mfa, options.acoustic_model, options.dictionary)
        report = align_with_mfa(options.corpus, items, mfa, options.jobs, options.strict)
    else:
        report = align_by_energy(options.corpus, items, options.jobs, options.strict)
    close(options.corpus, report, dropped)


def find_items(corpus: Path, grids: Path | None = None) -> tuple[list[Item], list[str]]:
    """Each clip that has both sound and text, with its TextGrid where they come from a folder; a line for each other.

    Raises UserError when there is no wav/, text/ or TextGrid, or two files claim one clip.
    """
    sounds, texts = Corpus(corpus).needed("wav"), Corpus(corpus).needed("text")
    given = _grids(grids) if grids else {}
    dropped = [f"{sounds[clip]}: no {corpus / 'text' / clip}.txt" for clip in sorted(sounds.keys() - texts.keys())]
    dropped += [f"{texts[clip]}: no sound of this name in wav/" for clip in sorted(texts.keys() - sounds.keys())]
    items = []
    for clip in sorted(sounds.keys() & texts.keys()):
        if grids and clip not in given:
            dropped.append(f"{sounds[clip]}: no {clip}{GRID_SUFFIX} in {grids}")
            continue
        inputs = (texts[clip], sounds[clip], *((given[clip],) if grids else ()))
        items.append(Item(clip, inputs, (Corpus(corpus).place("tsv", clip),)))
    return items, dropped


def _grids(folder: Path) -> dict[str, Path]:
    """The folder's TextGrids by stem; those of its folders, one a speaker, too."""
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() == GRID_SUFFIX.lower() and file.is_file())
    if not files:
        raise UserError(f"{folder}: no {GRID_SUFFIX} file there")
    return by_stem(files)


def align_by_energy(corpus: Path, items: list[Item], jobs: int = 1, strict: bool = False) -> StageReport:
    """tsv/ by spreading each clip's tokens over its stretches of speech: approximate, and the files say so."""
    return _run(corpus, items, spread_clip, {"aligner": "energy"}, jobs, strict)


def spread_clip(item: Item) -> dict[str, float]:
    """Write the clip's tsv, its tokens spread over its stretches of speech; how many there are, and the seconds."""
    from data_process.energy import speech_stretches, spread

    text, wav = item.inputs
    tokens = _tokens(text)
    audio = read_audio(wav)
    try:
        words = spread(tokens, speech_stretches(audio))
    except UserError as error:
        raise UserError(f"{wav}: {error}") from None
    comment = "energy: approximate, the tokens are spread over the stretches of speech"
    return _write(item, words, len(audio) / SAMPLE_RATE, [comment])


def hear_phones(corpus: Path, jobs: int = 1, strict: bool = False) -> StageReport:
    """phones/ of every sound of wav/, by an optional package. Raises UserError where it is missing."""
    made_by = recogniser_name()
    sounds, place = Corpus(corpus).needed("wav"), partial(Corpus(corpus).place, "phones")
    items = [Item(clip, (wav,), (place(clip),)) for clip, wav in sounds.items()]
    hear = partial(hear_clip, made_by=made_by)
    return _run(corpus, items, hear, {"aligner": "phones", "recogniser": made_by}, jobs, strict, stage="hear")


def hear_clip(item: Item, made_by: str) -> dict[str, float]:
    """Write the phones that are heard in the clip; how many there are, and the seconds."""
    audio = read_audio(item.inputs[0])
    phones = phones_heard(log_probabilities(audio), symbols(), len(audio) / SAMPLE_RATE)
    if not phones:
        raise UserError(f"{item.inputs[0]}: no phone heard in it")
    return _write(item, phones, len(audio) / SAMPLE_RATE, [f"phones: heard by {made_by}, good in English"])


def align_from_grids(corpus: Path, items: list[Item], grids: Path, jobs: int = 1, strict: bool = False) -> StageReport:
    """tsv/ from TextGrids made elsewhere, the third of each item's inputs."""
    read = partial(read_clip, made_by=f"textgrid: from a forced alignment in {grids.name}/")
    return _run(corpus, items, read, {"aligner": "textgrids"}, jobs, strict)


def align_with_mfa(corpus: Path, items: list[Item], mfa: Mfa, jobs: int = 1, strict: bool = False) -> StageReport:
    """tsv/ by running `mfa align` over the clips that are not up to date, in <corpus>/mfa.

    Raises UserError when mfa is not installed or fails as a whole.
    """
    settings = {"aligner": "mfa", "acoustic_model": mfa.acoustic_model, "dictionary": mfa.dictionary}
    folder = corpus / own_name("mfa")
    todo = pending("compare", items, records=Corpus(corpus).records("align"), settings=_settings(settings), jobs=jobs)
    if todo:
        run_mfa(todo, mfa, folder, jobs)
    made_by = f"mfa: acoustic model {mfa.acoustic_model}, dictionary {mfa.dictionary}"
    return _run(corpus, items, partial(read_clip, made_by=made_by, grids=folder / "grids"), settings, jobs, strict)


def run_mfa(items: list[Item], mfa: Mfa, folder: Path, jobs: int) -> None:
    """Write the clips to <folder>/corpus as mfa reads them and align them to <folder>/grids; its words go to mfa.log.

    A clip that cannot be read is left out: reading its TextGrid will say why.
    Raises UserError when there is no mfa, or it fails.
    """
    words = shlex.split(mfa.command, posix=os.name != "nt")  # a backslash is part of a path there
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise UserError(f"{mfa.command}: not found; {how_to_install(mfa)}")
    shutil.rmtree(folder, ignore_errors=True)
    written = [item for item, error in parallel("write", items, partial(write_for_mfa, folder=folder / "corpus"), jobs)
               if not isinstance(error, UserError)]  # fmt: skip
    if not written:
        return
    log = folder / "mfa.log"
    print(f"mfa align: {len(written)} clips; what it says goes to {log}", file=sys.stderr)
    command = [
        program,
        *words[1:],
        "align",
        "--clean",
        "-j",
        str(jobs),
        folder / "corpus",
        mfa.dictionary,
        mfa.acoustic_model,
        folder / "grids",
    ]
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        said = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        last = said[-1] if said else "(nothing)"
        raise UserError(f"{log}: mfa failed, saying last: {last}; for a missing model: {_models(mfa)}")


def write_for_mfa(item: Item, folder: Path) -> None:
    """<folder>/<clip>.wav, 16 kHz mono, and <clip>.lab, the tokens with spaces between."""
    text, wav = item.inputs
    tokens, audio = _tokens(text), read_int16(wav)
    write_wav(folder / f"{item.id}.wav", audio)
    with written_whole(folder / f"{item.id}.lab") as partial_file:
        partial_file.write_text(" ".join(tokens) + "\n", encoding="utf-8")


def how_to_install(mfa: Mfa) -> str:
    """The lines to type, in one."""
    return (
        f"install it with: conda create -n aligner -c conda-forge {MFA_PACKAGE} && conda activate aligner && "
        f'{_models(mfa)}; then add --mfa "conda run -n aligner mfa", or use --aligner energy'
    )


def _models(mfa: Mfa) -> str:
    return f"mfa model download acoustic {mfa.acoustic_model} && mfa model download dictionary {mfa.dictionary}"


def read_clip(item: Item, made_by: str, grids: Path | None = None) -> dict[str, float]:
    """Write the clip's tsv from its TextGrid: in the folder, or the third of its inputs."""
    from dataset.textgrid import read_grid, timed_tokens

    text, wav = item.inputs[:2]
    tokens, seconds = _tokens(text), sample_count(wav) / SAMPLE_RATE
    path = grids / f"{item.id}{GRID_SUFFIX}" if grids else item.inputs[2]
    if not path.is_file():
        raise UserError(f"{wav}: mfa gave it no TextGrid; most likely {text} is not what is said")
    timed = timed_tokens(read_grid(path), tokens)
    check_within(path, timed.words, seconds)
    comments = [made_by]
    if timed.split_evenly:
        comments.append(f"split evenly, the phones not telling the characters apart: {' '.join(timed.split_evenly)}")
    if timed.unknown:
        comments.append(f"not in the aligner's dictionary: {' '.join(timed.unknown)}")
    return _write(item, [word._replace(end_s=min(word.end_s, seconds)) for word in timed.words], seconds, comments)


def _tokens(path: Path) -> list[str]:
    tokens = tokenize(read_text(path)[0])
    if not tokens:
        raise UserError(f"{path}: no word in it")
    return tokens


def _write(item: Item, words: list[Word], seconds: float, comments: list[str]) -> dict[str, float]:
    write_tsv(item.outputs[0], words, tuple(comments))
    return {"tokens": len(words), "seconds": seconds}


def _run(
    corpus: Path,
    items: list[Item],
    function: _Work,
    settings: Mapping[str, str],
    jobs: int,
    strict: bool,
    stage: str = "align",
) -> StageReport:
    return run_stage(
        stage,
        items,
        function,
        records=Corpus(corpus).records(stage),
        settings=_settings(settings),
        jobs=jobs,
        strict=strict,
    )


def _settings(settings: Mapping[str, str]) -> dict[str, object]:
    return {"version": VERSION, **settings}


def close(corpus: Path, report: StageReport, dropped: list[str]) -> None:
    """Write align.log and print the totals. Raises UserError when no clip has been aligned."""
    log = corpus / own_name(LOG)
    lines = sorted([*dropped, *report.failed.values()])
    with written_whole(log) as partial_file:
        partial_file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if lines and not report.results:
        raise UserError(f"{corpus}: no clip could be aligned; the first: {lines[0]}")
    tokens = sum(result["tokens"] for result in report.results.values())
    minutes = sum(result["seconds"] for result in report.results.values()) / 60
    print(
        f"aligned {len(report.results)} clips ({len(report.up_to_date)} up to date), {tokens:,} tokens in "
        f"{minutes:.1f} min, {len(lines)} dropped{f': see {log}' if lines else ''}"
    )


if __name__ == "__main__":
    run(main)
