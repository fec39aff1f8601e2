"""What texts mean that vendors and people write: nothing at all, a name, an e-mail address. Each rule once, for Python and as SQL.

Belongs here: characters that show nothing, texts that say nothing, the form of an address. Does not belong here: which column holds what.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

# What vendors and spreadsheets write where they mean nothing; compared in lower case, trimmed.
NOTHING = (
    "", "-", "null", "(null)", "none", "nil", "nan", "undefined", "unknown", "n/a", "#n/a", "#ref!", "#value!", "#name?", "[object object]", "loading...",
)  # fmt: skip

Ranges = Iterable[tuple[int, int]]
# What Unicode calls white space, which is what TRIM takes off.
_BLANK = (
    (0x09, 0x0D), (0x20, 0x20), (0x85, 0x85), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F),
    (0x3000, 0x3000),
)  # fmt: skip
WHITE = "".join(chr(c) for first, last in _BLANK for c in range(first, last + 1))
# What shows nothing beside format characters (category Cf): controls, joiners, fillers, variation selectors.
_SILENT = (
    (0x00, 0x08), (0x0E, 0x1F), (0x7F, 0x84), (0x86, 0x9F), (0x34F, 0x34F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2065, 0x2065),
    (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0xE0000, 0xE0FFF),
)  # fmt: skip


def _python(character: int) -> str:
    return f"\\U{character:08x}"


def _re2(character: int) -> str:
    return f"\\x{{{character:X}}}"


def _range(ranges: Ranges, escaped: Callable[[int], str]) -> str:
    """The inside of a character class."""
    return "".join(escaped(first) if first == last else f"{escaped(first)}-{escaped(last)}" for first, last in ranges)


def _form(escaped: Callable[[int], str]) -> str:
    """An address alone or as programs wrap it: mailto:, a name before <…>, a full stop behind. The one group is the address."""
    blank = _range(_BLANK, escaped)
    part = f"[^@<>{blank}]"
    return f"^(?:[^<>]*<)?[{blank}]*(?i:mailto:)?[{blank}]*({part}+@{part}*[^@<>.,;{blank}])[{blank}]*>?[.,;{blank}]*$"


INVISIBLE, ADDRESS = "[\\p{Cf}" + _range(_SILENT, _re2) + "]", _form(_re2)  # as RE2, which all engines of SQL here read
_SIMPLE = "[!-9=?A-~]+@[!-9=?A-~]*[!-+0-9=?A-~]"  # what needs no mending: the common case, for a tenth of the time
_silent, _address = re.compile(f"[{_range(_SILENT, _python)}]"), re.compile(_form(_python))


def visible(text: str) -> str:
    """The text without what shows nothing, its letters composed (NFC)."""
    return unicodedata.normalize("NFC", "".join(c for c in _silent.sub("", text) if unicodedata.category(c) not in ("Cf", "Cs")))


def address(text: str) -> str | None:
    """The e-mail address that a text is, out of its wrapping; None where it is none."""
    found = _address.match(visible(text))
    return found[1] if found else None


def fold(text: str) -> str | None:
    """The person that an address names, however it is written: lower case, plus-tag cut."""
    found = address(text)
    return re.sub(r"\+[^@]*@", "@", found.lower()) if found else None


def visible_sql(value: str) -> str:
    """`visible` as an expression in BigQuery's dialect."""
    return f"CASE WHEN REGEXP_CONTAINS({value}, r'^[ -~]*$') THEN {value} ELSE NORMALIZE(REGEXP_REPLACE({value}, r'{INVISIBLE}', '')) END"


def address_sql(value: str) -> str:
    """`address` in lower case, as an expression in BigQuery's dialect."""
    clean = f"NORMALIZE(REGEXP_REPLACE({value}, r'{INVISIBLE}', ''))"
    found = f"WHEN REGEXP_CONTAINS({clean}, r'{ADDRESS}') THEN REGEXP_REPLACE({clean}, r'{ADDRESS}', r'\\1')"
    return f"LOWER(CASE WHEN REGEXP_CONTAINS({value}, r'^{_SIMPLE}$') THEN {value} {found} END)"


def fold_sql(value: str) -> str:
    """`fold` as an expression in BigQuery's dialect."""
    return f"REGEXP_REPLACE({address_sql(value)}, r'\\+[^@]*@', '@')"


def read_sql(value: str, *, is_address: bool = False) -> str:
    """A text that names somebody or something, in DuckDB's dialect: `visible`, trimmed, an address out of its wrapping; NULL where it means nothing."""
    clean = f"trim(nfc_normalize(regexp_replace({value}, '{INVISIBLE}', '', 'g')), '{WHITE}')"
    seen = f"CASE WHEN regexp_full_match({value}, '[ -~]*') THEN trim({value}) ELSE {clean} END"
    if is_address:
        seen = f"CASE WHEN regexp_full_match({value}, '{_SIMPLE}') THEN {value} ELSE coalesce(nullif(regexp_extract({clean}, '{ADDRESS}', 1), ''), {seen}) END"
    nothing = ", ".join(f"'{text}'" for text in NOTHING)
    # A list or an object where a name belongs is none: its text would be taken for one.
    is_json = f"substr({value}, 1, 1) IN ('[', '{{') AND json_valid({value})"
    return (
        f"CASE WHEN {is_json} THEN NULL WHEN length({seen}) > {max(map(len, NOTHING))} OR lower({seen}) NOT IN ({nothing}) THEN {seen} END"
    )
