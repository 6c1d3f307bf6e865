"""Damage to the bytes of a delivered file, each imitating a cause seen in practice.

Here: injectors on a written file.
Not here: wrong values in sound files (``frame_faults.py``), names and applicability
(``faults.py``).

Each function takes the file and a random stream, changes what lies at the path and returns the
path the result has. The first line of its docstring tells the cause.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

_BYTES_BACK = 64


def truncated_gz(path: Path, random: np.random.Generator) -> Path:
    """A gzip file cut in the middle: the upload broke off."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * random.uniform(0.3, 0.8))])
    return path


def gzip_named_csv(path: Path, random: np.random.Generator) -> Path:
    """A compressed file under a name that says CSV: renamed by hand."""
    path.write_bytes(gzip.compress(path.read_bytes(), 1, mtime=0))
    return path


def wrong_delimiter(path: Path, random: np.random.Generator) -> Path:
    """Semicolons between the fields: saved by a spreadsheet with European settings."""
    path.write_bytes(path.read_bytes().replace(b",", b";"))
    return path


def bom(path: Path, random: np.random.Generator) -> Path:
    """A byte-order mark before the header, as Windows tools write it."""
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    return path


def utf16_file(path: Path, random: np.random.Generator) -> Path:
    """Text in UTF-16: saved as "Unicode text"."""
    path.write_bytes(path.read_bytes().decode().encode("utf-16"))
    return path


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def duplicate_header(path: Path, random: np.random.Generator) -> Path:
    """The header once more among the rows: two exports put one after the other."""
    lines = _lines(path)
    middle = len(lines) // 2
    path.write_bytes(b"".join([*lines[:middle], lines[0], *lines[middle:]]))
    return path


def ragged_rows(path: Path, random: np.random.Generator) -> Path:
    """Some rows with a field too many or two too few: commas inside unquoted text."""
    lines = _lines(path)
    places = 1 + random.choice(len(lines) - 1, max(2, len(lines) // 200), replace=False)
    for count, place in enumerate(places):
        body = lines[place].rstrip(b"\r\n")
        lines[place] = (body + b",7" if count % 2 else body.rsplit(b",", 2)[0]) + b"\n"
    path.write_bytes(b"".join(lines))
    return path


def cut_off_last_line(path: Path, random: np.random.Generator) -> Path:
    """The last line ends in the middle of a field: the disk was full."""
    content = path.read_bytes().rstrip(b"\r\n")
    start = content.rfind(b"\n") + 1
    keep = start + max(1, (len(content) - start) // 2)
    path.write_bytes(content[:keep])
    return path


def empty_file(path: Path, random: np.random.Generator) -> Path:
    """No byte at all: the collector crashed after opening the file."""
    path.write_bytes(b"")
    return path


def html_instead_of_csv(path: Path, random: np.random.Generator) -> Path:
    """An error page under the file's name: the download was refused."""
    page = "<!DOCTYPE html>\n<html><head><title>403 Forbidden</title></head>\n<body>Access denied"
    path.write_text(page + "</body></html>\n", encoding="utf-8")
    return path


def foreign_file(path: Path, random: np.random.Generator) -> Path:
    """A table of something else under the file's name: dropped into the wrong folder."""
    rows = ["employee,department,joined", "A. Rao,settlement,2019-04-01", "S. Iyer,risk,2021-07-12"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def directory_instead_of_file(path: Path, random: np.random.Generator) -> Path:
    """A folder with the file's name: an archive unpacked one level too deep."""
    path.unlink()
    path.mkdir()
    return path


def unreadable_file(path: Path, random: np.random.Generator) -> Path:
    """No permission to read: copied by another account."""
    path.chmod(0)
    return path


def broken_link(path: Path, random: np.random.Generator) -> Path:
    """A link to a file that is gone: the network share is not mounted."""
    path.unlink()
    path.symlink_to(path.with_name(f"{path.name}.moved"))
    return path


def corrupt_parquet(path: Path, random: np.random.Generator) -> Path:
    """Parquet with its last bytes overwritten: a bad block on the disk."""
    content = bytearray(path.read_bytes())
    content[-_BYTES_BACK:] = random.bytes(min(_BYTES_BACK, len(content)))
    path.write_bytes(bytes(content))
    return path


def truncated_parquet(path: Path, random: np.random.Generator) -> Path:
    """Parquet without its footer: still being copied when it was picked up."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
