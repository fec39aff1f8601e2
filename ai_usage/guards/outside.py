"""Text from outside (vendors, the sheet, dropped files) for the place that it goes to: one function for each place.

Belongs here: what a place would take for more than text, and what stands instead. Does not belong here: HTML, which Jinja escapes, and databases, where
values are parameters. Tables keep what came; these functions change what people are shown.
"""

from __future__ import annotations

import json
import re

# Characters that steer instead of being seen: C0 and C1 (escape sequences begin there), line and paragraph ends, marks that turn the direction of writing,
# zero-width ones and tags. The joiners U+200C and U+200D stay, since names and emoji are written with them.
_STEERING = (
    "\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff"
)
_BREAKS = re.compile(r"[\t-\r\x1c-\x1f\x85\u2028\u2029 ]+")
_UNSEEN = re.compile(f"[{_STEERING}]")
_UNSEEN_BUT_BREAKS = re.compile(f"(?![\t\n]|\r\n)[{_STEERING}]")
_CHAT = str.maketrans({"<": "‹", ">": "›", "[": "(", "]": ")", "`": "'", "*": "∗", "~": "∼", "|": "¦", "\\": "∖", "&": "＆"})
# What Excel, LibreOffice and Google Sheets take for a formula, blanks before it or not; the wide forms where input is Japanese or Chinese.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")
_EDGES = re.compile(r"(?<!\w)[@_#]|_(?!\w)")
# Of these mail programs, chats and Markdown make links by themselves; of the second one Windows even sends the reader's login.
_LINKS = re.compile(r"://|\\\\|(?<![^\W_])www\.", re.IGNORECASE)


def line(text: str) -> str:
    """One line of what can be seen: for subjects, log lines, sentences, lists. Breaks become blanks."""
    return _UNSEEN.sub("", _BREAKS.sub(" ", text)).strip(" ")


def terminal(text: str) -> str:
    """For a terminal, which obeys escape sequences: each steering character but the ends of lines is U+FFFD."""
    return _UNSEEN_BUT_BREAKS.sub("\ufffd", text)


def chat(text: str) -> str:
    """For Slack, Discord, Teams and the like. Each has its own way to escape and none has all, so what makes links, mentions, styles or headings becomes a
    letter that looks alike; addresses and names with _ inside stay."""
    return _EDGES.sub(lambda m: {"@": "＠", "_": "＿", "#": "＃"}[m[0]], unlinked(line(text)).translate(_CHAT))


def unlinked(text: str) -> str:
    """For mail, whose programs make links of what looks like an address: it becomes what looks alike."""
    return _LINKS.sub(lambda m: {":": ":⁄⁄", "\\": "∖∖"}.get(m[0][0], f"{m[0][:3]}․"), text)


def header(text: str) -> str:
    """For a header of a mail. Encoded words (`=?utf-8?q?…?=`) are decoded by whoever shows it, and may hold what `line` took away: there are none."""
    return line(text).replace("=?", "= ?")


def markdown_cell(text: str) -> str:
    """For a cell of a Markdown table, as Dagster's pages show it: one line, and nothing in it is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|~!&])", r"\\\1", unlinked(line(text)))


def json_line(text: str) -> str:
    """Finished JSON with its steering characters written as escapes: the same value, and one line whatever reads it."""
    return _UNSEEN.sub(lambda m: json.dumps(m[0])[1:-1], text)


def spreadsheet(text: str) -> str:
    """For a CSV that a spreadsheet opens: an apostrophe before what it would take for a formula, as the dashboards' own files have it."""
    return f"'{text}" if _FORMULA.match(text) else text
