"""How a text file writes its table: encoding, delimiter, decimal mark. Used by `agentkit.tables` alone."""

from __future__ import annotations

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from typing import IO

from agentkit.errors import DatasetError

_BLOCK = 1 << 20
_FEW_BYTES = 32
# single bytes beyond ASCII fit dozens of encodings; these are what spreadsheets write
_ENCODINGS = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "mac_roman",
    "cp932",
    "gb18030",
    "big5",
    "euc_kr",
    "koi8_r",
)
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_USUAL = (",", ";", "\t", "|")
_UNUSUAL = (":", "^", "~", " ")
_GROUPED = {mark: re.compile(rf"[-+]?\d{{1,3}}([{mark}]\d{{3}})+") for mark in (",", ".")}
_DECIMAL_COMMA = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+")
_POINT = re.compile(r"[-+]?(\d+|\d{1,3}(,\d{3})+)\.\d+")
_WHOLE = re.compile(r"[-+]?\d+")


def encoding_of(name: str, file: IO[bytes]) -> tuple[str, list[str]]:
    """How the bytes read as text: UTF-8 if they are, else the best guess, with a note. Raises DatasetError."""
    first = file.read(_BLOCK)
    for bom, encoding in _BOMS.items():
        if first.startswith(bom):
            return encoding, []
    if b"\0" in first:
        raise DatasetError(f"{name!r} is not a text file. Save the table as CSV or Parquet.")
    decoder, block = codecs.getincrementaldecoder("utf-8")(), first
    try:
        while block:
            decoder.decode(block)
            block = file.read(_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return _guessed(name, first if block is first else first[: _BLOCK // 8] + block)
    return "utf-8", []


def _guessed(name: str, sample: bytes) -> tuple[str, list[str]]:
    from charset_normalizer import from_bytes

    # only the lines that are not ASCII say something about the encoding
    telling = b"\n".join([line for line in sample.splitlines() if not line.isascii()][:400])
    # a statistical guess from a handful of letters finds Chinese in German names
    few = sum(byte > 127 for byte in telling) < _FEW_BYTES
    best = from_bytes(telling, cp_isolation=["cp1252"] if few else list(_ENCODINGS)).best()
    if best is None:
        raise DatasetError(f"{name!r} is in no encoding that can be told. Save it as UTF-8.")
    note = f"{name!r} is not UTF-8; it was read as {best.encoding}. If letters look wrong, save it as UTF-8."
    return best.encoding, [note]


def delimiter_of(name: str, head: Sequence[str], expected: str) -> tuple[str, list[str]]:
    """What separates the fields of these lines, with a note if it is not what the file's ending says.

    The usual delimiter that most often splits the lines into the same number of fields, above one; `expected` where
    none does, or one of `: ^ ~` and the space where it makes three fields or more of every line.
    """
    best, score = expected, (0.0, 0)
    for candidate in _USUAL:
        widths = _widths(head, candidate)
        width, times = Counter(widths).most_common(1)[0]
        if width > 1 and (times / len(widths), width) > score:
            best, score = candidate, (times / len(widths), width)
    if score[1] > 1 or len(head) < 2:
        wrong = expected == "\t" and best != expected and score[1] > 1
        return best, [f"{name!r} separates its columns by {best!r}, not by tabs."] if wrong else []
    for candidate in _UNUSUAL:
        widths = _widths(head, candidate)
        if min(widths) == max(widths) > 2:
            return candidate, [
                f"{name!r} separates its columns by {candidate!r}. Save it with commas if that is wrong."
            ]
    return expected, []


def _widths(head: Sequence[str], delimiter: str) -> list[int]:
    return [len(r) for r in csv.reader(head, delimiter=delimiter, skipinitialspace=True)]


def number_marks(name: str, rows: Sequence[Sequence[str]]) -> tuple[str, str | None, list[str]]:
    """The decimal mark and the mark of thousands of these rows' numbers, with a note if they are not '.' and none.

    A mark counts if a column writes all of its numbers so and no other column contradicts. '1,234' alone, which can
    be either, is taken as thousands where columns are separated by commas, and where all commas stand so.
    """
    columns = [[cell.strip() for cell in column if cell.strip()] for column in zip(*rows, strict=False)]
    commas = [c for c in columns if _all(c, _DECIMAL_COMMA, _WHOLE, _GROUPED["."]) and any("," in v for v in c)]
    grouped = [c for c in columns if _all(c, _GROUPED[","], _WHOLE, _POINT) and any("," in v for v in c)]
    decimal = [c for c in commas if c not in grouped]
    if decimal:
        if any(
            _all(c, _POINT, _WHOLE) and any("." in v and not _GROUPED["."].fullmatch(v) for v in c) for c in columns
        ):
            return ".", None, [f"{name!r} writes some numbers with a decimal comma and some with a point. Use one."]
        example = next(v for v in decimal[0] if "," in v)
        dotted = any("." in v for c in decimal for v in c) and not _other_use(columns, ".", _DECIMAL_COMMA)
        plain = example.replace(".", "").replace(",", ".")
        return ",", "." if dotted else None, [f"{name!r} writes decimal commas: {example!r} was read as {plain}."]
    if grouped and not _other_use(columns, ",", _POINT):
        example = next(v for v in grouped[0] if "," in v)
        return ".", ",", [f"{name!r} separates thousands: {example!r} was read as {example.replace(',', '')}."]
    return ".", None, []


def _other_use(columns: Sequence[Sequence[str]], mark: str, number: re.Pattern[str]) -> bool:
    """Whether the mark also stands in what looks like a number and is none: dates, versions, lists of codes."""
    marked = (v for c in columns for v in c if mark in v and re.fullmatch(r"[-+\d.,]+", v))
    return any(not _GROUPED[mark].fullmatch(v) and not number.fullmatch(v) for v in marked)


def _all(column: Sequence[str], *patterns: re.Pattern[str]) -> bool:
    return bool(column) and all(any(p.fullmatch(v) for p in patterns) for v in column)


def cut_note(name: str, last: str, delimiter: str, columns: int) -> list[str]:
    """A note if the last line of a file has no end and fewer fields than the header: the file was cut."""
    # an odd quote belongs to a cell of several lines
    if last.endswith(("\n", "\r")) or not last.strip() or last.count('"') % 2:
        return []
    width = _widths([last], delimiter)[0]
    if width >= columns:
        return []
    told = f"the last line of {name!r} has {width} of {columns} columns: the file may be cut. Fetch it again."
    return [told[0].upper() + told[1:]]
