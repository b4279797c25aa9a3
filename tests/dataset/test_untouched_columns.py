from pathlib import Path

from dataset.blendshapes import read_csv, write_csv


def test_channels_nobody_changed_keep_their_cells_to_the_letter(tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.0185036063,1e-3\n13:13:04:33.652,1,-0\n")
    table = read_csv(source)
    write_csv(tmp_path / "same.csv", table)
    assert (tmp_path / "same.csv").read_text() == source.read_text()
    write_csv(tmp_path / "out.csv", table.with_channels(("JawOpen",), table.select(("JawOpen",)) / 2))
    assert (tmp_path / "out.csv").read_text() == (
        "Timecode,jawOpen,browInnerUp\n13:13:04:31.652,0.009252,1e-3\n13:13:04:33.652,0.500000,-0\n"
    )
