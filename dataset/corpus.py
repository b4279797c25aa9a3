"""The corpus folder."""

import csv
from pathlib import Path

from config.errors import UserError


def read_manifest(path: Path) -> dict[str, dict[str, str]]:
    """Clip → its row of a csv with the columns id, speaker and, if it likes, split; {} where there is no such file.

    Raises UserError for a file that is not UTF-8 or lacks a column.
    """
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = [{key: (value or "").strip() for key, value in row.items() if key} for row in reader]
            missing = [name for name in ("id", "speaker") if name not in (reader.fieldnames or ())]
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path}: not a csv text file in UTF-8") from None
    if missing:
        raise UserError(f"{path}, line 1: no column {missing[0]}; expected id, speaker and, if you like, split")
    return {row["id"]: row for row in rows}
