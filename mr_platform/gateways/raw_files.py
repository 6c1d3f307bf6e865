"""Reading one landed file: format, header, rows with their row numbers.

Here: bytes → header and frame, whatever the compression; faults of the file as a whole.
Not here: what the columns mean (``chain/dialects``), which rows are good (``chain/quality``).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from mr_platform.errors import InputFileError

ROW = "_row"
"""Column of the 1-based number of a data row in its file (the header is not counted)."""

FileFormat = Literal["csv", "parquet"]

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PARQUET = b"PAR1"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SOMETHING = re.compile(rb"\S")
_COUNTED_AT_ONCE = 1 << 18
_OTHER_DELIMITERS = {b";": "semicolons", b"\t": "tabs", b"|": "vertical bars"}


@dataclass(frozen=True)
class RawHeader:
    """What a file's head says before any row is read.

    Attributes:
        format: ``csv`` or ``parquet``.
        columns: Column names in file order, stripped of blanks.
        types: Column types of a Parquet file; empty for CSV.
        byte_order_mark: True when a CSV began with a UTF-8 byte order mark (it is ignored).
    """

    format: FileFormat
    columns: tuple[str, ...]
    types: Mapping[str, pl.DataType] = field(default_factory=dict)
    byte_order_mark: bool = False


@dataclass(frozen=True)
class RawRows:
    """Rows as read.

    Attributes:
        frame: One row per readable data row, with ``_row``; columns asked for, in file order.
        malformed: Rows with a wrong number of fields: ``_row``, ``text``, ``detail``.
        typed: True when every cell was read in the type asked for; False when the file was read
            as text because some cell did not parse, so that the cell can be named.
    """

    frame: pl.DataFrame
    malformed: pl.DataFrame
    typed: bool

    @property
    def height(self) -> int:
        """Data rows of the file, readable or not."""
        return self.frame.height + self.malformed.height


_NO_MALFORMED = pl.DataFrame(schema={ROW: pl.Int64, "text": pl.String, "detail": pl.String})


@dataclass(frozen=True)
class RawFile:
    """One landed file, read lazily; every reading error is an ``InputFileError`` naming it.

    Attributes:
        path: Where the file lies.
        relative: Its path relative to the landing folder, with forward slashes.
        known_sha256: Digest already known for exactly these bytes, or None to compute it.
    """

    path: Path
    relative: str
    known_sha256: str | None = None

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the file's bytes.

        Raises:
            InputFileError: The file cannot be read.
        """
        if self.known_sha256:
            return self.known_sha256
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as stream:
                while block := stream.read(1 << 20):
                    digest.update(block)
        except OSError as refused:
            raise self._unreadable(refused) from refused
        return digest.hexdigest()

    @cached_property
    def header(self) -> RawHeader:
        """Format and columns.

        Raises:
            InputFileError: Not a regular file, empty, unreadable, damaged, not UTF-8, another
                delimiter, a column named twice, or a nested Parquet column.
        """
        magic = self._head(4)
        if magic == _PARQUET:
            return self._parquet_header()
        if magic[:2] in _UTF16:
            raise self._fault("is UTF-16 text", "Save it as UTF-8 and land it again")
        return self._csv_header()

    def read(
        self,
        types: Mapping[str, pl.DataType | type[pl.DataType]],
        null_values: Sequence[str] = (),
    ) -> RawRows:
        """Read the columns named in ``types``.

        Args:
            types: Type wanted for each column to read; a CSV cell that does not parse makes the
                whole file come back as text (``typed`` False), a Parquet column comes in its own
                type.
            null_values: Texts that stand for a missing value in CSV.

        Returns:
            The rows, with ``_row`` numbered from 1.

        Raises:
            InputFileError: As ``header``; or the file is damaged further down.
        """
        header = self.header
        names = [name for name in header.columns if name in types]
        if header.format == "parquet":
            return self._read_parquet(names)
        data = self._csv_bytes()
        first_line_end = data.find(b"\n")
        if first_line_end < 0 or _SOMETHING.search(data, first_line_end + 1) is None:
            empty = pl.DataFrame(schema={ROW: pl.Int64, **dict.fromkeys(names, pl.String)})
            return RawRows(empty, _NO_MALFORMED, typed=False)
        if self._fields_are_even(data):
            try:
                frame = pl.read_csv(
                    # a plain file is mapped, not copied; bytes are for what had to be unpacked
                    self.path if len(data) == self.path.stat().st_size else data,
                    glob=False,
                    schema={name: types.get(name, pl.String) for name in header.columns},
                    columns=None if len(names) == len(header.columns) else names,
                    null_values=["", *null_values],
                    row_index_name=ROW,
                    row_index_offset=1,
                )
                return RawRows(frame.with_columns(pl.col(ROW).cast(pl.Int64)), _NO_MALFORMED, True)
            except pl.exceptions.PolarsError:
                # some cell is not of its type: read everything as text so that it can be named
                pass
        return self._read_as_text(data, header, names, null_values)

    # ------------------------------------------------------------------ faults

    def _fault(self, fault: str, next_step: str) -> InputFileError:
        return InputFileError(fault, place=self.relative, next_step=next_step)

    def _unreadable(self, error: OSError) -> InputFileError:
        reason = error.strerror or str(error)
        return self._fault(f"cannot be read ({reason})", "Check the file and its permissions")

    # ------------------------------------------------------------------ bytes

    def _head(self, size: int) -> bytes:
        if self.path.is_dir():
            raise self._fault("is a folder, not a file", "Land the files inside it")
        if not self.path.exists():
            raise self._fault("does not exist", "Land the file again")
        if not self.path.is_file():
            raise self._fault("is not a regular file", "Land a regular file")
        try:
            with self.path.open("rb") as stream:
                head = stream.read(size)
        except OSError as refused:
            raise self._unreadable(refused) from refused
        if not head:
            raise self._fault("is empty (0 bytes)", "Ask the source to send it again")
        return head

    def _csv_bytes(self) -> bytes:
        """Decompressed bytes without a byte order mark."""
        try:
            data = self.path.read_bytes()
        except OSError as refused:
            raise self._unreadable(refused) from refused
        packed = len(data)
        if data[:2] == _GZIP:
            try:
                data = gzip.decompress(data)
            except (EOFError, OSError, zlib.error) as damaged:
                raise self._fault(
                    f"is a damaged or truncated gzip file of {packed:,} bytes ({damaged})",
                    "Copy it again from the source; nothing of it was used",
                ) from damaged
        elif data[:4] == _ZSTD:
            data = self._unpack_zstd(data)
        return data[3:] if data[:3] == _BOM else data

    def _unpack_zstd(self, data: bytes) -> bytes:
        import zstandard

        try:
            with zstandard.ZstdDecompressor().stream_reader(
                io.BytesIO(data), read_across_frames=True
            ) as stream:
                unpacked = stream.read()
            # a frame cut short ends the stream without an error: ask for its declared size
            declared = zstandard.frame_content_size(data)
        except zstandard.ZstdError as damaged:
            raise self._fault(
                f"is a damaged zstd file of {len(data):,} bytes ({damaged})",
                "Copy it again from the source; nothing of it was used",
            ) from damaged
        if declared > len(unpacked):
            raise self._fault(
                f"is a truncated zstd file: {len(unpacked):,} of {declared:,} bytes",
                "Copy it again from the source; nothing of it was used",
            )
        return bytes(unpacked)

    # ------------------------------------------------------------------ csv

    def _csv_header(self) -> RawHeader:
        data = self._csv_head()
        bom = data[:3] == _BOM
        line = (data[3:] if bom else data).split(b"\n", 1)[0].rstrip(b"\r")
        if not line.strip():
            raise self._fault("has an empty first line", "The first line must name the columns")
        if line.lstrip()[:1] == b"<":
            raise self._fault(
                "is an HTML or XML page, not a table", "Download the data file itself"
            )
        if b"\x00" in data[:1024]:
            raise self._fault("is binary data, not text", "Land CSV or Parquet files")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as damaged:
            raise self._fault(
                f"is not UTF-8 text (byte {damaged.start} of the header)",
                "Save it as UTF-8 and land it again",
            ) from damaged
        if b"," not in line:
            for delimiter, name in _OTHER_DELIMITERS.items():
                if line.count(delimiter) >= 2:
                    raise self._fault(
                        f"separates its columns by {name}",
                        "Export it with commas and land it again",
                    )
        columns = tuple(name.strip().strip('"') for name in text.split(","))
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise self._fault(
                f"names a column more than once: {', '.join(repeated)}",
                "Each column may appear once",
            )
        return RawHeader("csv", columns, byte_order_mark=bom)

    def _csv_head(self) -> bytes:
        """Enough bytes for the first line; compressed files are unpacked only that far."""
        head = self._head(64 * 1024)
        if head[:2] == _GZIP:
            try:
                with gzip.open(self.path, "rb") as stream:
                    return stream.read(64 * 1024)
            except (EOFError, OSError, zlib.error) as damaged:
                raise self._fault(
                    f"is a damaged or truncated gzip file ({damaged})",
                    "Copy it again from the source; nothing of it was used",
                ) from damaged
        return self._csv_bytes()[: 64 * 1024] if head[:4] == _ZSTD else head

    @staticmethod
    def _fields_are_even(data: bytes) -> bool:
        """True when every line has as many fields as the header, as far as counting can tell.

        Polars fills a short line with nulls without a word, so a file cut off in mid-line would
        pass. Counting delimiters costs 1 % of parsing; a quoted field makes counting unsure and
        sends the file to the careful reader.
        """
        if b'"' in data:
            return False
        header_fields = data[: data.find(b"\n")].count(b",")
        delimiters, lines = 0, 0 if data.endswith(b"\n") else 1
        # five times faster than bytes.count for a byte as frequent as a delimiter, and in pieces
        # that stay in the processor's cache
        for start in range(0, len(data), _COUNTED_AT_ONCE):
            cells = np.frombuffer(
                data, np.uint8, count=min(_COUNTED_AT_ONCE, len(data) - start), offset=start
            )
            delimiters += int(np.count_nonzero(cells == ord(",")))
            lines += int(np.count_nonzero(cells == ord("\n")))
        return delimiters == header_fields * lines

    def _read_as_text(
        self,
        data: bytes,
        header: RawHeader,
        names: Sequence[str],
        null_values: Sequence[str],
    ) -> RawRows:
        """Careful reading: every cell as text, rows with a wrong number of fields set apart."""
        import pyarrow as pa
        from pyarrow import csv

        malformed: list[dict[str, object]] = []

        def set_apart(row: csv.InvalidRow) -> str:
            malformed.append(
                {
                    # pyarrow counts the header as row 1
                    ROW: row.number - 1,
                    "text": row.text,
                    "detail": f"{row.actual_columns} fields, {row.expected_columns} expected",
                }
            )
            return "skip"

        try:
            table = csv.read_csv(
                pa.BufferReader(data),
                # row numbers are known only without threads
                read_options=csv.ReadOptions(use_threads=False, block_size=max(len(data), 1 << 16)),
                parse_options=csv.ParseOptions(
                    invalid_row_handler=set_apart, newlines_in_values=False
                ),
                convert_options=csv.ConvertOptions(
                    column_types=dict.fromkeys(self._original_names(data), pa.string()),
                    null_values=["", *null_values],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,  # writers that quote all quote "" and "-"
                ),
            )
        except pa.ArrowInvalid as damaged:
            raise self._fault(
                f"cannot be read as CSV ({str(damaged).splitlines()[0]})",
                "Check the line named and land the file again",
            ) from damaged
        frame = pl.DataFrame(pl.from_arrow(table.rename_columns(list(header.columns))))
        rejected = pl.DataFrame(malformed, schema=_NO_MALFORMED.schema)
        numbers = pl.DataFrame(
            {ROW: pl.int_range(1, frame.height + rejected.height + 1, dtype=pl.Int64, eager=True)}
        )
        kept = numbers.join(rejected, on=ROW, how="anti", maintain_order="left")
        return RawRows(
            frame.select(names).with_columns(kept[ROW]).select(ROW, *names), rejected, typed=False
        )

    @staticmethod
    def _original_names(data: bytes) -> list[str]:
        line = data.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8")
        return [name.strip('"') for name in line.split(",")]

    # ------------------------------------------------------------------ parquet

    def _parquet_header(self) -> RawHeader:
        try:
            # by stream: brackets in a path would be taken for a pattern
            with self.path.open("rb") as stream:
                schema = pl.read_parquet_schema(stream)
        except (pl.exceptions.PolarsError, OSError) as damaged:
            raise self._fault(
                f"is a damaged Parquet file ({str(damaged).splitlines()[0]})",
                "Copy it again from the source; nothing of it was used",
            ) from damaged
        nested = [f"{name} ({dtype})" for name, dtype in schema.items() if dtype.is_nested()]
        if nested:
            raise self._fault(
                f"has nested columns: {', '.join(nested)}", "Flatten them to one value a cell"
            )
        names = [name.strip() for name in schema]
        return RawHeader("parquet", tuple(names), dict(zip(names, schema.values(), strict=True)))

    def _read_parquet(self, names: Sequence[str]) -> RawRows:
        try:
            # a landing path may hold "symbol=NIFTY" or brackets: neither is a pattern here
            scan = pl.scan_parquet(self.path, hive_partitioning=False, glob=False)
            frame = (
                scan.rename(str.strip)
                .select(names)
                # text by another name: some writers leave out that their bytes are UTF-8
                .with_columns(pl.col(pl.Categorical, pl.Enum, pl.Binary).cast(pl.String))
                .collect()
                .with_row_index(ROW, offset=1)
            )
        except (pl.exceptions.PolarsError, OSError) as damaged:
            raise self._fault(
                f"is a damaged Parquet file ({str(damaged).splitlines()[0]})",
                "Copy it again from the source; nothing of it was used",
            ) from damaged
        return RawRows(frame.with_columns(pl.col(ROW).cast(pl.Int64)), _NO_MALFORMED, typed=True)
