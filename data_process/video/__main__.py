"""Make a corpus of videos of a face: curves by a face tracker, head angles and sound. A folder of videos is a person.

Once before: python -m pip install -r requirements-video.txt, and the tracker's model, which the first error tells how
to get. Of the pictures nothing is kept.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from config.command import parser, renamed, run
from data_process.prepare import channel, frame_rate
from data_process.stages import stage_arguments
from data_process.video.landmarker import MODEL
from dataset.recordings.timing import USUAL_FPS

EXAMPLES = """
python -m data_process.video --source videos --out data/me
python -m data_process.video --source videos --out data/me --calibrate
python -m data_process.video --source videos --out data/me --out_fps 60 --tracker face_landmarker.task --jobs 4
"""


def parse() -> argparse.Namespace:
    options = parser(__doc__, EXAMPLES)
    options.prog = "python -m data_process.video"
    options.add_argument("--source", type=Path, required=True, help="a video, or a folder of them, however deep")
    options.add_argument("--out", type=Path, required=True, help="the corpus: gets wav/, bs/, neutral/, manifest.csv")
    options.add_argument("--tracker", type=Path, default=MODEL, help="MediaPipe's face landmarker with blendshapes")
    options.add_argument("--out_fps", type=frame_rate, default=USUAL_FPS, help="frames a second of bs/*.csv")
    renamed(options, "--fps", "--out_fps")
    options.add_argument("--channel", type=channel, default="loudest", help="of several: loudest, mean, or 1, 2, …")
    options.add_argument(
        "--calibrate", action="store_true", help="stretch what the tracker is known to read too small, such as JawOpen"
    )
    options.add_argument("--keep_frames", action="store_true", help="keep the pictures too, in frames/, to look at")
    stage_arguments(options)
    return options.parse_args()


def main() -> None:
    given = parse()
    from data_process.video.corpus_of_videos import make_corpus
    from data_process.video.stage import VideoSettings

    settings = VideoSettings(given.out_fps, given.tracker, given.channel, given.keep_frames, given.calibrate)
    totals = make_corpus(given.source, given.out, settings, given.jobs, given.strict)
    if totals is not None:
        print(totals)


if __name__ == "__main__":
    run(main)
