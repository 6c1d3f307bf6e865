"""Reading one landed file of strategy results: column names, then rows a bounded piece at a time.

Here: bytes → names and pieces of plain text or frames; faults of the file as a whole.
Not here: what columns and cells mean (``portfolio/strategy_sheets``), option chains
(``raw_files``).

A file may be 25,000 or 100,000 columns wide and gigabytes long, so that nothing here holds all of
it: text comes in pieces of whole lines, Parquet in groups of columns.
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import polars as pl

from mr_platform.errors import InputFileError
from mr_platform.gateways.wide_export import UNIT_KEY

PIECE_BYTES = 16 << 20
"""Bytes of text read at once; a piece is longer only where a single line is."""

PIECE_CELLS = 4_000_000
"""Cells of Parquet read at once, 32 MB of numbers."""

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEAD = 1 << 16
_SPOKEN = {b",": "commas", b";": "semicolons", b"\t": "tabs", b"|": "vertical bars"}


@dataclass(frozen=True)
class StrategyHeader:
    """What a file's head says.

    Attributes:
        container: ``csv`` or ``parquet``.
        columns: Column names in the order of the file, stripped of blanks; they may be empty or
            repeat, which is for the reader of the sheet to judge.
        types: Types of the columns of a Parquet file, in the same order; empty for CSV.
        byte_order_mark: True when text began with a UTF-8 byte order mark (it is ignored).
        first_byte: Where the first data row begins, in unpacked bytes; 0 for Parquet.
        pnl_unit: Unit of the values where the file itself says it, as an export in Parquet does.
    """

    container: Literal["csv", "parquet"]
    columns: tuple[str, ...]
    types: tuple[pl.DataType, ...] = ()
    byte_order_mark: bool = False
    first_byte: int = 0
    pnl_unit: str | None = None


@dataclass(frozen=True)
class LineEnds:
    """How the lines read so far ended: LF and CR LF; both are read, a bare CR is refused."""

    lf: int = 0
    cr_lf: int = 0

    @property
    def mixed(self) -> bool:
        """True when the file was put together from two sources."""
        return bool(self.lf and self.cr_lf)


@dataclass
class LandedStrategies:
    """One landed file of strategy results; every fault of reading is an ``InputFileError``.

    Attributes:
        path: Where the file lies.
        relative: Its path relative to the landing folder, for messages.
        delimiter: Delimiter of the declared formats; a file with another one is refused.
        line_ends: Counts of line ends, complete once ``pieces`` is exhausted.
    """

    path: Path
    relative: str
    delimiter: str = ","
    line_ends: LineEnds = field(default_factory=LineEnds, init=False)

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the file's bytes.

        Raises:
            InputFileError: The file cannot be read.
        """
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as refused:
            raise self._unreadable(refused) from refused
        return digest.hexdigest()

    @cached_property
    def header(self) -> StrategyHeader:
        """Kind of file and names of its columns.

        Raises:
            InputFileError: Missing, no regular file, empty, damaged, no UTF-8 text, another
                delimiter, or nested Parquet columns.
        """
        magic = self._magic()
        if magic == _PARQUET:
            return self._parquet_header()
        if magic[:2] in _UTF16:
            raise self._fault("is UTF-16 text", "Save it as UTF-8 and land it again")
        with self._text() as stream:
            return self._csv_header(stream)

    def pieces(self, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
        r"""Data rows of a CSV file: UTF-8 text of whole lines, each ended by ``\n``.

        Blank lines at the end of the file are left out, all others kept: rows are numbered.

        Raises:
            InputFileError: Damaged, NUL bytes, bare carriage returns, no UTF-8.
        """
        first_byte = self.header.first_byte
        self.line_ends = LineEnds()
        with self._text() as stream:
            self._read(stream, first_byte)
            row, blank, rest = 1, b"", b""
            while block := self._read(stream, piece_bytes):
                lines = rest + block
                cut = lines.rfind(b"\n") + 1
                rest = lines[cut:]
                if not cut:
                    continue
                piece = self._plain(lines[:cut], row)
                row += piece.count(b"\n")
                # blank lines count only when something follows them
                solid = piece.rstrip(b"\n \t")
                end = piece.find(b"\n", len(solid)) + 1
                if not solid:
                    blank += piece
                    continue
                yield blank + piece[:end]
                blank = piece[end:]
            if rest.strip():
                yield blank + self._plain(rest + b"\n", row, ended=False)

    def frames(self, piece_cells: int = PIECE_CELLS) -> Iterator[pl.DataFrame]:
        """Columns of a Parquet file, in groups in the order of the file, each with all rows.

        Raises:
            InputFileError: The file is damaged.
        """
        from pyarrow import ArrowException, parquet

        names = self.header.columns
        try:
            with parquet.ParquetFile(self.path) as source:
                stored = source.schema_arrow.names
                at_once = max(1, piece_cells // max(1, source.metadata.num_rows))
                for start in range(0, len(names), at_once):
                    table = source.read(columns=stored[start : start + at_once])
                    frame = pl.DataFrame(pl.from_arrow(table))
                    yield frame.rename(dict(zip(frame.columns, names[start:], strict=False)))
        except (ArrowException, OSError, pl.exceptions.PolarsError) as damaged:
            raise self._damaged_parquet(damaged) from damaged

    # ------------------------------------------------------------------ faults

    def _fault(self, fault: str, next_step: str) -> InputFileError:
        return InputFileError(fault, place=self.relative, next_step=next_step)

    def _unreadable(self, error: OSError) -> InputFileError:
        reason = error.strerror or str(error)
        return self._fault(f"cannot be read ({reason})", "Check the file and its permissions")

    def _damaged_parquet(self, error: Exception) -> InputFileError:
        told = (str(error).splitlines() or [type(error).__name__])[0]
        return self._fault(
            f"is a damaged Parquet file ({told})",
            "Copy it again from the source; nothing of it was used",
        )

    # ------------------------------------------------------------------ bytes

    def _magic(self) -> bytes:
        if self.path.is_dir():
            raise self._fault("is a folder, not a file", "Land the files inside it")
        if not self.path.exists():
            raise self._fault("does not exist", "Land the file again")
        if not self.path.is_file():
            raise self._fault("is not a regular file", "Land a regular file")
        try:
            with self.path.open("rb") as stream:
                magic = stream.read(4)
        except OSError as refused:
            raise self._unreadable(refused) from refused
        if not magic:
            raise self._fault("is empty (0 bytes)", "Ask the source to send it again")
        return magic

    @contextlib.contextmanager
    def _text(self) -> Iterator[_Bytes]:
        """The unpacked bytes as a stream."""
        magic = self._magic()
        with contextlib.ExitStack() as opened:
            try:
                plain = opened.enter_context(self.path.open("rb"))
            except OSError as refused:
                raise self._unreadable(refused) from refused
            if magic[:2] == _GZIP:
                yield opened.enter_context(gzip.open(plain))
            elif magic == _ZSTD:
                yield _ZstdText(plain, self._first_frame())
            else:
                yield plain

    def _first_frame(self) -> bytes:
        with self.path.open("rb") as stream:
            return stream.read(32)

    def _read(self, stream: _Bytes, size: int) -> bytes:
        try:
            return stream.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile, _DamagedZstdError) as damaged:
            packing = "zstd" if isinstance(damaged, _DamagedZstdError) else "gzip"
            raise self._fault(
                f"is a damaged or truncated {packing} file ({damaged})",
                "Copy it again from the source; nothing of it was used",
            ) from damaged
        except OSError as refused:
            raise self._unreadable(refused) from refused

    def _plain(self, lines: bytes, row: int, *, ended: bool = True) -> bytes:
        r"""Lines ended by ``\n`` alone, checked to be text; ``row`` is the first one's number."""

        def place(position: int) -> int:
            return row + lines.count(b"\n", 0, position)

        nul = lines.find(b"\x00")
        if nul >= 0:
            raise self._fault(
                f"holds NUL bytes, the first in row {place(nul)}",
                "Copy it again from the source: it was cut off or is no text",
            )
        all_ends = lines.count(b"\n") - (not ended)
        cr_lf = 0
        if b"\r" in lines:
            length = len(lines)
            lines = lines.replace(b"\r\n", b"\n")
            cr_lf = length - len(lines)
            bare = lines.find(b"\r")
            if bare >= 0:
                raise self._fault(
                    f"ends lines by bare carriage returns, the first in row {place(bare)}",
                    "Save it with LF or CR LF line ends",
                )
        self.line_ends = LineEnds(
            self.line_ends.lf + all_ends - cr_lf, self.line_ends.cr_lf + cr_lf
        )
        if not lines.isascii():
            try:
                lines.decode("utf-8")
            except UnicodeDecodeError as damaged:
                raise self._fault(
                    f"is not UTF-8 text (a byte of row {place(damaged.start)})",
                    "Save it as UTF-8 and land it again",
                ) from damaged
        return lines

    # ------------------------------------------------------------------ headers

    def _csv_header(self, stream: _Bytes) -> StrategyHeader:
        line = b""
        while b"\n" not in line and (block := self._read(stream, _HEAD)):
            line += block
        head, end, _ = line.partition(b"\n")
        if b"\x00" in head:
            raise self._fault("is binary data, not text", "Land CSV or Parquet files")
        first_byte = len(head) + len(end)
        bom = head[:3] == _BOM
        head = (head[3:] if bom else head).removesuffix(b"\r")
        if not head.strip():
            raise self._fault("has an empty first line", "The first line must name the columns")
        kind = {b"<": "an HTML or XML page", b"{": "JSON", b"[": "JSON"}.get(head.lstrip()[:1])
        if kind:
            raise self._fault(f"is {kind}, not a table", "Land the table itself as CSV or Parquet")
        if b"\r" in head:
            raise self._fault(
                "ends lines by bare carriage returns", "Save it with LF or CR LF line ends"
            )
        try:
            text = head.decode("utf-8")
        except UnicodeDecodeError as damaged:
            raise self._fault(
                f"is not UTF-8 text (byte {damaged.start} of the header)",
                "Save it as UTF-8 and land it again",
            ) from damaged
        self._check_delimiter(head)
        names = self._names(text)
        return StrategyHeader(
            "csv",
            tuple(name.strip() for name in names),
            byte_order_mark=bom,
            first_byte=first_byte,
        )

    def _check_delimiter(self, head: bytes) -> None:
        ours = self.delimiter.encode()
        counts = {other: head.count(other) for other in _SPOKEN if other != ours}
        other = max(counts, key=counts.__getitem__)
        # a name may hold one of the others; a header of them alone is another kind of file
        if counts[other] > head.count(ours) and ours not in head.split(other, 1)[0]:
            raise self._fault(
                f"separates its columns by {_SPOKEN[other]}, not by "
                f"{_SPOKEN.get(ours, repr(self.delimiter))}",
                "Export it with the declared delimiter and decimal points, or declare its format",
            )

    def _names(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self.delimiter, strict=True))
        except csv.Error as damaged:
            raise self._fault(
                f"has a header whose quotes do not close ({damaged})",
                "Correct the first line: a column's name stands on one line",
            ) from damaged

    def _parquet_header(self) -> StrategyHeader:
        from pyarrow import ArrowException, parquet

        try:
            with parquet.ParquetFile(self.path) as source:
                empty: Any = source.schema_arrow.empty_table()
                stored: list[str] = source.schema_arrow.names
                unit = (source.metadata.metadata or {}).get(UNIT_KEY.encode())
                repeated = len(set(stored)) < len(stored)
                if not repeated:
                    schema = pl.DataFrame(pl.from_arrow(empty)).schema
        except (ArrowException, OSError, pl.exceptions.PolarsError) as damaged:
            raise self._damaged_parquet(damaged) from damaged
        if repeated:
            twice = sorted({name for name in stored if stored.count(name) > 1})
            raise self._fault(
                f"names a column more than once: {', '.join(twice)}",
                "Each column may appear once",
            )
        nested = [f"{name} ({dtype})" for name, dtype in schema.items() if dtype.is_nested()]
        if nested:
            raise self._fault(
                f"has nested columns: {', '.join(nested[:5])}", "Flatten them to one value a cell"
            )
        return StrategyHeader(
            "parquet",
            tuple(name.strip() for name in schema),
            tuple(schema.values()),
            pnl_unit=None if unit is None else unit.decode("utf-8", "replace"),
        )


class _Bytes(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _DamagedZstdError(Exception):
    pass


class _ZstdText:
    """Unpacked zstd text whose end is checked against the length that the file declares."""

    def __init__(self, packed: IO[bytes], head: bytes) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        try:
            self._declared = int(zstandard.frame_content_size(head))
        except zstandard.ZstdError:
            self._declared = -1
        self._stream = zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True)
        self._given = 0

    def read(self, size: int, /) -> bytes:
        """Read up to ``size`` bytes; fewer only at the end."""
        found = io.BytesIO()
        try:
            while (missing := size - found.tell()) > 0 and (block := self._stream.read(missing)):
                found.write(block)
        except self._error as damaged:
            raise _DamagedZstdError(str(damaged)) from damaged
        self._given += found.tell()
        if found.tell() < size and self._given < self._declared:
            # a frame cut short ends the stream without an error
            raise _DamagedZstdError(f"{self._given:,} of {self._declared:,} bytes")
        return found.getvalue()
