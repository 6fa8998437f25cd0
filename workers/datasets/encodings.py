"""Which encoding a file is in, and where bytes do not fit it."""

import codecs
import re
from typing import BinaryIO

from workers.datasets.base import BadRow, Row, as_json
from workers.errors import InvalidInput
from workers.words import marked as _

ON_ERROR = "aifs.mark"
"""Error handler: each byte that does not decode becomes the lone surrogate U+DC00 + byte, whatever the codec."""
MARKS = re.compile("[\udc00-\udcff]")
SAMPLE_BYTES = 1 << 18
SEARCH_BYTES = 256 << 20
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CANDIDATES = ("gb18030", "big5", "shift_jis")
"""Weighed when a file is not UTF-8. Korean is left to the user: Chinese bytes read as Korean look too plausible."""
COMMON = re.compile("[\u3000-\u303f\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af\uff01-\uff5e\u2010-\u2026]")
"""Characters of running Chinese, Japanese or Korean text; a wrong guess gives rare ones instead."""
FREQUENT = re.compile(
    "[的一是不了在人有我他这中大来上个国和地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家"
    "這個來國時說會對過發後裡們為與學\u3040-\u30ff]"
)
WESTERN = re.compile(
    rb"(?:[\x00-\x7f]|(?<=[A-Za-z])[\xc0-\xff](?![\x80-\xff])|[\x91-\x97\xa3\xa9\xab\xb0\xbb](?![\x80-\xff]))*"
)
"""Latin letters with accents stand alone between plain ones."""


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(ON_ERROR, _mark)


def detect_encoding(data: bytes, rest: BinaryIO, filename: str) -> str:
    """The codec of a text. data: its beginning; rest: the file from there on, read only while all is ASCII.

    Raises InvalidInput when it is no text, or in no encoding known here.
    """
    for bom, name in BOMS:
        if data.startswith(bom):
            return name
    if name := _wide(data):
        return name
    if b"\x00" in data[:4096]:
        raise InvalidInput(
            _("The file %(file)s is not text and of no kind that can be imported."),
            hint=_("Bring JSON, JSONL, CSV, TSV, Parquet or plain text, packed with gzip or not."),
            code="unknown_file_type",
            file=filename,
        )
    lines, all_lines = _telling_lines(data, rest)
    if not lines or _share(lines, "utf-8") >= 0.5:
        return "utf-8-sig"
    scores = {name: _plausibility(lines, name) for name in CANDIDATES}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] > 0:
        return best
    if len(lines) >= 3 and all(WESTERN.fullmatch(line) for line in lines):
        return "cp1252"
    if len(lines) < all_lines / 2:  # a few broken rows in a file that is otherwise fine
        return "utf-8-sig"
    raise InvalidInput(
        _("The encoding of %(file)s could not be told."),
        hint=_("Choose it by hand, or save the file as UTF-8."),
        code="unknown_encoding",
        file=filename,
    )


def _wide(data: bytes) -> str:
    """UTF-16 without a mark: every other byte of mostly Latin text is zero."""
    sample = data[:4096]
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    if half >= 8 and odd > half * 0.3 and even < half * 0.02:
        return "utf-16-le"
    if half >= 8 and even > half * 0.3 and odd < half * 0.02:
        return "utf-16-be"
    return ""


def _telling_lines(data: bytes, rest: BinaryIO) -> tuple[list[bytes], int]:
    """Lines with more than ASCII, from the first part of the file that has any; and how many lines that part has."""
    read = len(data)
    tail = b""
    while data and read < SEARCH_BYTES:
        if not data.isascii():
            lines = (tail + data + rest.readline(SAMPLE_BYTES)).split(b"\n")
            return [line for line in lines if not line.isascii()], len(lines)
        tail = data[data.rfind(b"\n") + 1 :]
        data = rest.read(SAMPLE_BYTES)
        read += len(data)
    return [], 0


def _share(lines: list[bytes], codec: str) -> float:
    """Share of lines that decode; a character cut off at the end of a line is forgiven, the sample ends somewhere."""
    good = 0
    for line in lines:
        try:
            codecs.getincrementaldecoder(codec)().decode(line)
            good += 1
        except UnicodeDecodeError:
            continue
    return good / len(lines)


def _plausibility(lines: list[bytes], codec: str) -> float:
    """How much a decoding looks like running text: 0 when it hardly decodes or gives rare characters."""
    if _share(lines, codec) < 0.8:
        return 0.0
    text = b"\n".join(lines).decode(codec, errors="ignore")
    wide = [character for character in text if ord(character) > 0x7F]
    if not wide:
        return 0.0
    common = sum(1 for character in wide if COMMON.match(character)) / len(wide)
    frequent = sum(1 for character in wide if FREQUENT.match(character)) / len(wide)
    if common < 0.7 or (len(wide) < 20 and not frequent):
        return 0.0
    return common + frequent


def spot_bad_bytes(row: Row) -> BadRow | None:
    """What is wrong with the text of a row: bytes that did not decode, or half a character from a JSON escape."""
    try:
        text = as_json(row)
        text.encode()
    except UnicodeEncodeError as error:
        mark = text[error.start]
        if MARKS.match(mark):
            return BadRow("bad_encoding", f"{_field(row, mark)}: 0x{ord(mark) - 0xDC00:02x}", text)
        return BadRow("bad_text", f"{_field(row, mark)}: U+{ord(mark):04X}", text)
    except RecursionError:
        return BadRow("too_deep")
    return None


def _field(row: Row, mark: str) -> str:
    return next((str(key) for key, value in row.items() if mark in key or mark in as_json(value)), "?")
