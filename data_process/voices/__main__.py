"""Make a corpus of many voices: composed sentences, spoken with the exact time of each phone, animated by rule.

Once before: python -m pip install -r requirements-voices.txt, and npm pack kokoro-js@1.2.1, which fetches the voices.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from config.command import parser, run
from config.errors import UserError
from config.files import keep_apart
from data_process.stages import check_out_fps, stage_arguments
from data_process.voices.casting import LANGUAGES, plan
from dataset.corpus import Corpus
from dataset.recordings.timing import USUAL_FPS

EXAMPLES = """
python -m data_process.voices --out data/voices --minutes 60
python -m data_process.voices --out data/english --minutes 10 --languages en --seed 1 --engine ~/Downloads
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.prog = "python -m data_process.voices"
    options.add_argument("--out", type=Path, required=True, help="the corpus folder to write; a killed run goes on")
    options.add_argument("--minutes", type=float, default=60.0, help="of speech, about")
    options.add_argument(
        "--languages", nargs="+", choices=[*LANGUAGES], default=list(LANGUAGES), help="in equal shares"
    )
    options.add_argument("--seed", type=int, default=0, help="another one, other sentences")
    options.add_argument("--out_fps", type=float, default=USUAL_FPS, help="frames a second of bs/*.csv")
    options.add_argument("--engine", type=Path, default=Path(), help="where npm pack kokoro-js@1.2.1 left the voices")
    stage_arguments(options)
    arguments = options.parse_args()
    if not 0 < arguments.minutes <= 10_000:
        raise UserError(f"--minutes {arguments.minutes:g}: give minutes of speech, up to 10000")
    check_out_fps(arguments.out_fps)
    if arguments.seed < 0:
        raise UserError(f"--seed {arguments.seed}: give a number from 0 on")
    return arguments


def main() -> None:
    arguments = parse()
    print(
        make_corpus(
            Corpus(arguments.out),
            minutes=arguments.minutes,
            languages=list(dict.fromkeys(arguments.languages)),
            seed=arguments.seed,
            fps=arguments.out_fps,
            engine=arguments.engine.expanduser(),
            jobs=arguments.jobs,
            strict=arguments.strict,
        )
    )


def make_corpus(
    corpus: Corpus,
    *,
    minutes: float,
    languages: list[str],
    seed: int,
    fps: float,
    engine: Path,
    jobs: int,
    strict: bool,
) -> str:
    """Plan, speak and animate; returns the line of totals. Raises UserError where the engine is missing."""
    from data_process.rule_curves import animate_corpus
    from data_process.voices.kokoro import ARCHIVE, check_engine, voice_names
    from data_process.voices.speak import speak_takes

    keep_apart([engine / ARCHIVE], [("--out", corpus.folder)])
    check_engine()
    voices = voice_names(engine)
    takes = plan(languages, voices, 60 * minutes, seed)
    spoken = speak_takes(takes, corpus, engine, seed, jobs, strict)
    animated = animate_corpus(corpus, fps, jobs, strict)
    for line in (*spoken.failed.values(), *animated.failed.values()):
        print(line, file=sys.stderr)
    made = [take for take in takes if take.id in animated.results]
    seconds = sum(animated.results.values()) / fps
    held_out = [take for take in made if take.is_held_out]
    heard = {voice for take in made for voice in take.voices}
    return (
        f"made {len(made)} clips, {seconds / 60:.1f} min, of {len(heard)} voices and their blends in {corpus.folder}; "
        f"{len(held_out)} clips for validation, of {len({take.speaker for take in held_out})} voices held out; "
        f"{len(spoken.failed) + len(animated.failed)} failed"
    )


if __name__ == "__main__":
    run(main)
