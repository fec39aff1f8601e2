"""One cell of the sheet as a value, or a sentence that says what to write instead.

Belongs here: pure, total functions over what Google sends for a cell: as stored (text, number, true or false) and as displayed. Does not belong
here: which column of which tab means what (`records.py`). Nothing is guessed: what could mean two amounts, days or currencies raises `Unread`.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from ai_usage.tables import texts

_EPOCH = date(1899, 12, 30)  # day 0 of a spreadsheet's serial dates
FOREVER = date(9999, 12, 31)
LARGEST = 10**12  # amounts from here on are slips of the hand: with the most seats and the highest rate they still fit NUMERIC
MOST_SEATS = 100_000

_ERROR = re.compile(r"#(N/A|[A-Z]+(/0)?[!?])")
_DASHES = re.compile(r"[-\u2010-\u2015\u2212]+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_AMOUNT = re.compile(
    r"(?P<sign>[-\u2212]?) ?(?P<before>[^0-9\s,'()+\-\u2212]*) ?(?P<inner>[-\u2212]?)"
    r"(?P<number>[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+)(?P<fraction>\.[0-9]+)? ?(?P<after>[^0-9,'()+\-\u2212]*)"
)
_SHOWN = re.compile(r"[^0-9]*?(?P<number>[.,]?[0-9](?:[0-9.,'\u2019 ]*[0-9])?)(?:[eE](?P<exponent>[+-]?[0-9]+))?[^0-9]*")
_AROUND = frozenset(".,'\u2019\u066b\u066c +-\u2212()")  # what a number's display holds beside digits and a currency

# ISO 4217, without funds, metals and test codes.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF
DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW
KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED
VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
# Of these, what is displayed with a bare dollar sign at home.
_DOLLAR_CODES = "ARS AUD BBD BMD BND BSD BZD CAD CLP COP FJD GYD HKD JMD KYD LRD MXN NAD NZD SBD SGD SRD TTD TWD USD UYU XCD"
CURRENCIES, _DOLLARS = frozenset(_CODES.split()), frozenset(_DOLLAR_CODES.split())
_SIGNS = {
    "$": "USD", "US$": "USD", "$US": "USD", "U$S": "USD", "€": "EUR", "£": "GBP", "FR": "CHF", "SFR": "CHF", "ZŁ": "PLN", "KČ": "CZK", "FT": "HUF", "₹": "INR",
    "₩": "KRW", "₪": "ILS", "₺": "TRY", "₴": "UAH", "₽": "RUB", "฿": "THB", "₫": "VND", "₦": "NGN", "₱": "PHP", "R$": "BRL", "C$": "CAD", "CA$": "CAD",
    "A$": "AUD", "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD", "NT$": "TWD", "S$": "SGD", "SG$": "SGD", "MX$": "MXN",
}  # fmt: skip
_YEN, _CROWN, _RUPEE = ("JPY", "CNY"), ("SEK", "NOK", "DKK", "ISK"), ("INR", "PKR", "LKR", "NPR", "MUR", "SCR")
_SHARED = {"¥": _YEN, "￥": _YEN, "KR": _CROWN, "₨": _RUPEE, "RS": _RUPEE}


class Unread(ValueError):
    """A cell cannot be read: why, and what its owner can write instead."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def plain(value: Any) -> str:
    """Text as a reader sees it: invisible characters and lone surrogates gone, every kind of blank a space, no space at the ends or twice."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if value is None:
        return ""
    seen = texts.visible(value if isinstance(value, str) else json.dumps(value, default=str))
    return " ".join(seen.replace("\u2800", " ").split())


def is_unknown(text: str) -> bool:
    """Whether a cell's text says that nothing is known: empty, a formula's error, "null", "None", a dash."""
    return text.casefold() in texts.NOTHING or bool(_ERROR.fullmatch(text.upper()) or _DASHES.fullmatch(text))


def text(stored: Any, shown: str) -> str:
    """A name or a sentence, as displayed: "007" keeps its zeros."""
    if isinstance(stored, bool):
        raise Unread("is a checkbox", "Write text, or move the checkbox into a column of its own.")
    if isinstance(stored, list | dict):
        raise Unread("is not text", "Write text.")
    return shown


def email(stored: Any, shown: str) -> str:
    """One e-mail address."""
    found = texts.address(shown)
    if isinstance(stored, bool) or not found or not _EMAIL.fullmatch(found):
        raise Unread("is not an e-mail address", "Write one address like name@example.com.")
    return found


def addresses(stored: Any, shown: str) -> tuple[list[str], list[str]]:
    """The e-mail addresses of a cell that holds several, and what in it is none."""
    # The name before an address begins after a separator: tried from each of its letters, a cell of 50,000 of them takes 13 s.
    parts = re.split(r"[;,|\s]+", re.sub(r"(?<![^;,|<>])[^;,|<>]*<([^<>]*)>", r"\1;", text(stored, shown)))
    found = [(part, texts.address(part)) for part in parts if part]
    return [a for _, a in found if a], [part for part, a in found if not a]


def choice(stored: Any, shown: str, allowed: tuple[str, ...] = ()) -> str:
    """A platform or a kind, folded to one spelling: lower case, underscores for blanks, hyphens and dots."""
    name = re.sub(r"[ .\-]", "_", text(stored, shown).lower())
    if allowed and name not in allowed:
        raise Unread(f"is none of {', '.join(allowed)}", f"Write one of {', '.join(allowed)}, or leave the cell empty.")
    return name


def count(stored: Any, shown: str, most: int = 10**12) -> int:
    """A whole number of zero or more."""
    number = _number(stored, shown, most)
    if number != number.to_integral_value():
        raise Unread("is not a whole number", "Write a whole number like 12.")
    if number < 0:
        raise Unread("is below 0", "Write a whole number like 12.")
    if number > most:
        raise Unread(f"is above {most:,}", "Write a whole number like 12.")
    return int(number)


def day(
    stored: Any, shown: str, *, month: bool = False, first: date = date(2020, 1, 1), last: date = date(2099, 12, 31), forever: bool = False
) -> date:
    """A UTC day; `month`: a whole month will do, and is its first day. `forever`: 9999-12-31 is a day too.

    A number is a day as Google counts them (46327), or 20261101, or 202611 where a month is asked. These ranges do not meet, so that no
    number can mean two days; 2026 or 11 alone means none, and neither does an amount of money.
    """
    refusal = Unread(
        "is not a month like 2026-01" if month else "is not a date like 2026-01-31",
        f"Write {'the month as 2026-01' if month else 'the day as 2026-01-31'}, or format the column as a date.",
    )
    found: date | None = None
    written = shown if isinstance(stored, str) else ""
    if isinstance(stored, int | float) and not isinstance(stored, bool) and math.isfinite(stored):
        # A weekday may look like a currency ("Fr. 20.11.2026"), so the digits must be the number's own too.
        if _is_currency(_beside(shown)) and _displays(Decimal(repr(stored)), shown):
            raise Unread("is an amount of money", refusal.remedy)
        if 18_264 <= stored < 73_051 or (forever and int(stored) == (FOREVER - _EPOCH).days):  # 1950 to 2099
            found = _EPOCH + timedelta(days=int(stored))
        elif stored == int(stored):
            written = str(int(stored))
    if found is None:
        parts = re.fullmatch(r"([0-9]{4})(-?)([0-9]{2})(?:\2([0-9]{2}))?", written)
        if not parts or not (parts[4] or month):
            raise refusal
        try:
            found = date(int(parts[1]), int(parts[3]), int(parts[4] or 1))
        except ValueError:
            raise refusal from None
    if not first <= found <= last and not (forever and found == FOREVER):
        raise Unread(f"lies outside {first.year} to {last.year}", refusal.remedy)
    return found


def money(stored: Any, shown: str, currency: str | None = None, most: int = LARGEST) -> tuple[Decimal, str]:
    """An amount and its currency, which is US dollars unless the cell or `currency`, the row's own column, says otherwise.

    Args:
        stored: the cell as stored.
        shown: the cell as displayed: the currency of a number is in its format alone.
        currency: ISO code that the row's column `currency` gives.
        most: no larger amount can be meant.

    Returns:
        The amount, in whole 1e-9 of the currency, and the ISO code.

    Raises:
        Unread: not an amount, or its currency cannot be told.
    """
    if isinstance(stored, str):
        amount, said = _written(shown, most)
    else:
        amount, said = _number(stored, shown), _beside(shown)
    if abs(amount) >= LARGEST:
        raise Unread("is too large to be an amount", "Write a plain number like 1200.50.")
    if currency and said and currency not in (meant := _meant(said)) and not (said == "$" and currency in _DOLLARS):
        raise Unread(f"is in {_either(meant)} where the row's currency is {currency}", "Write both in the same currency.")
    return amount.quantize(Decimal("1e-9")), currency or (iso(said) if said else "USD")


def iso(said: str) -> str:
    """The ISO code of a currency's code or sign, spaces and dots aside.

    Raises:
        Unread: no currency, or a sign that several use.
    """
    meant = _meant(said)
    if len(meant) > 1:
        raise Unread(
            f"is in {_either(meant)}: the sign does not say which", "Write the currency's code, such as EUR, into the column currency."
        )
    return meant[0]


def _meant(said: str) -> tuple[str, ...]:
    """The ISO codes that a currency's code or sign may mean."""
    name = re.sub(r"[\s.]", "", said).upper()
    bare = name.replace("$", "", 1)
    if name not in _SIGNS and bare in _DOLLARS:
        name = bare
    if name in CURRENCIES or name in _SIGNS:
        return (_SIGNS.get(name, name),)
    if name in _SHARED:
        return _SHARED[name]
    raise Unread(f"shows {said!r}, which is not a currency", "Show a plain number, and write the currency's code into the column currency.")


def _is_currency(said: str) -> bool:
    try:
        return bool(said and _meant(said))
    except Unread:
        return False


def _either(names: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _beside(shown: str) -> str:
    """What a number's display holds beside the number: its currency, if anything."""
    said = "".join(c for c in shown if not (c.isdigit() or c in _AROUND))
    return "" if said.upper() == "E" else said  # a scientific display: 1.2E+03


def _written(shown: str, most: int) -> tuple[Decimal, str]:
    """A number written as text, and what stands beside it; no number above `most` can be meant."""
    parts = _AMOUNT.fullmatch(shown)
    if not parts or (parts["sign"] and parts["inner"]):
        raise _no_number()
    whole, fraction = parts["number"], parts["fraction"] or ""
    if one := re.fullmatch(r"([1-9][0-9]{0,2})[.,]([0-9]{3})", whole + fraction):
        thousands, decimals = "".join(one.groups()), ".".join(one.groups())
        if int(thousands) <= most:
            raise Unread(
                f"means {thousands} in some countries and {decimals} in others",
                f"Write {thousands} or {decimals}0, whichever is meant, or format the column as a number.",
            )
    number = Decimal(whole.replace(",", "") + fraction)
    return -number if parts["sign"] or parts["inner"] else number, parts["before"] + parts["after"]


def _number(stored: Any, shown: str, most: int = LARGEST) -> Decimal:
    if isinstance(stored, bool):
        raise Unread("is a checkbox, not a number", "Write a plain number like 12, or move the checkbox into a column of its own.")
    if isinstance(stored, int) or (isinstance(stored, float) and math.isfinite(stored)):
        number = Decimal(repr(stored)) if isinstance(stored, float) else Decimal(stored)
        if not _displays(number, shown):
            raise Unread("displays another number than the cell holds", "Format the cell as a plain number, and check its value.")
        return number
    if not isinstance(stored, str):
        raise _no_number()
    number, said = _written(shown, most)
    if said:
        raise _no_number()
    return number


def _displays(number: Decimal, shown: str) -> bool:
    """Whether a display can be of this number, rounded to the places shown: not where the format is a date, a percentage or thousands."""
    digits = "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in shown).translate({0x66B: ".", 0x66C: ","})
    parts = _SHOWN.fullmatch(digits)
    if not parts:
        return False
    _, point, fraction = parts["number"].replace(",", ".").rpartition(".")
    bare, exponent = re.sub(r"[^0-9]", "", parts["number"]), int(parts["exponent"] or 0)
    # 1.234 may be either; both are tried.
    readings = [(Decimal(bare), exponent)] + ([(Decimal(bare).scaleb(-len(fraction)), exponent - len(fraction))] if point else [])
    return any(abs(abs(number) - read.scaleb(exponent)) <= Decimal(1).scaleb(place) for read, place in readings)


def _no_number() -> Unread:
    return Unread("is not a number", "Write a plain number like 1200.50, or format the column as a number.")
