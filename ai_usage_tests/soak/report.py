"""The report of a rehearsal: one table for eyes and the same as Markdown.

Belongs here: targets, words, layout. Does not belong here: how anything was found.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta

from rich.table import Table as Grid

from ai_usage_tests.soak.clock import PACIFIC
from ai_usage_tests.soak.plan import BLOCKING, PEACEFUL, TRIALS
from ai_usage_tests.soak.rehearsal import Result
from ai_usage_tests.soak.score import Verdict

TARGET_ON_TIME = 0.999
NO_ALERTS = "alerts: not in this build"


@dataclass(frozen=True)
class Line:
    """One line of the score: what, its target, what was found; `met` is None where nothing is asked."""

    what: str
    target: str
    found: str
    met: bool | None


def lines(result: Result) -> list[Line]:
    """The score against its targets."""
    due, late = result.due, [d for d in result.due if not d.on_time]
    excused = [d for d in result.days if d.excused]
    v = result.verdict
    share = (len(due) - len(late)) / len(due) if due else 0.0
    found = [
        Line("days complete by 08:00 in Los Angeles", "99.9 %", f"{share:.1%} ({len(due) - len(late)} of {len(due)})", share >= TARGET_ON_TIME),
        *(Line(f"figures {kind}", "0", _figures(v, kind), getattr(v, kind) == 0) for kind in ("lost", "doubled", "wrong")),
        Line("mornings at which any figure of any day differed", "0", str(len(result.worst)), not result.worst),
        Line("versions of days, one for each thing the vendor said", str(result.versions_expected),
             "equal" if not result.versions else f"{len(result.versions)} days differ", not result.versions),
        Line("06:00 fired once a day, also when clocks change", "each", "each" if not result.ticks_missing else f"{len(result.ticks_missing)} not",
             not result.ticks_missing),
        Line("runs or services stuck until somebody came", "0", str(len(result.stuck)), not result.stuck),
    ]  # fmt: skip
    if excused:
        whole = sum(d.on_time for d in excused)
        found.append(Line("days while the machine slept, whole 2 h after it woke", str(len(excused)), str(whole), whole == len(excused)))
    return found + alert_lines(result)


def _figures(verdict: Verdict, kind: str) -> str:
    return f"{getattr(verdict, kind)}" + (f" ({verdict.usd[kind]:f} USD)" if kind in verdict.usd else "")


def alert_lines(result: Result) -> list[Line]:
    """A trial that stops the data for an hour must open an alert, and none of its causes twice; a peaceful morning must open none. Trials between
    the two (a killed run fails and is made again) may open one."""
    if result.alerts is None:
        return [Line("alerts right, missed, false", "-", NO_ALERTS, None)]
    opened: dict[date, list[tuple[str, str]]] = defaultdict(list)
    for alert in result.alerts:
        opened[(alert["at"].astimezone(PACIFIC) - timedelta(hours=5)).date()].append((alert["alert"], alert["cause"]))
    asked = [d for d in result.days if d.trial in BLOCKING]
    right = sum(bool(opened[d.morning]) for d in asked)
    false = sum(len(opened[d.morning]) for d in result.days if d.trial in PEACEFUL)
    twice = sum(len(found) - len(set(found)) for found in opened.values())
    return [
        Line("alerts: days that stood still and were told", str(len(asked)), str(right), right == len(asked)),
        Line("alerts on peaceful mornings", "0", str(false), false == 0),
        Line("alerts opened twice on a morning for the same cause", "0", str(twice), twice == 0),
    ]


def passed(result: Result) -> bool:
    return all(line.met is not False for line in lines(result))


def grid(result: Result) -> Grid:
    """For the terminal."""
    made = Grid(title=f"Rehearsal, seed {result.seed}, {len(result.days)} days", title_justify="left")
    for name in ("what", "target", "found", ""):
        made.add_column(name)
    for line in lines(result):
        mark = {True: "[green]met[/green]", False: "[red]missed[/red]", None: "-"}[line.met]
        made.add_row(line.what, line.target, line.found, mark)
    return made


def markdown(result: Result, command: str, machine: str) -> str:
    """For the repository."""
    first, last = result.days[0].morning, result.days[-1].morning
    planned = sum(m.nights for m in result.mornings)
    told = (
        f"{len(result.days)} simulated days"
        if len(result.days) == planned
        else f"{len(result.days)} of {planned} simulated days (its time was limited)"
    )
    said = "Every target was met." if passed(result) else "Not every target was met; see below."
    out = [
        f"# Rehearsal, seed {result.seed}", "",
        f"`{command}` on {machine}: {told}, mornings {first} to {last} in Los Angeles, in {result.wall_s / 60:.0f} minutes. "
        f"{said} {result.verdict.compared:,} figures were compared with the simulator's books at the end, and all days so far each morning; "
        f"{result.restated} days were restated meanwhile. Runs: {', '.join(f'{n} {s.lower()}' for s, n in sorted(result.runs.items()))}.", "",
        "| what | target | found | |", "|---|---|---|---|",
        *(f"| {line.what} | {line.target} | {line.found} | {_mark(line)} |" for line in lines(result)), "",
        "| trial | what it is | mornings | on time |", "|---|---|---|---|",
    ]  # fmt: skip
    for trial, what in TRIALS.items():
        mine = [d for d in result.days if d.trial == trial]
        if mine:
            asked = [d for d in mine if not d.excused]
            state = (
                f"{sum(d.on_time for d in asked)} of {len(asked)}"
                if asked
                else f"not asked; {sum(d.on_time for d in mine)} of {len(mine)} 2 h after waking"
            )
            out.append(f"| {trial} | {what} | {len(mine)} | {state} |")
    out += ["", "| UTC day | trial | published (UTC) | | notes |", "|---|---|---|---|---|"]
    for one in result.days:
        at = f"{one.published:%Y-%m-%d %H:%M:%S}" if one.published else "-"
        state = "asleep" if one.excused and one.on_time else "on time" if one.on_time else "**late**"
        out.append(f"| {one.day} | {one.trial} | {at} | {state} | {'; '.join(one.notes)} |")
    for title, found in (
        ("Differences at the end", result.verdict.samples), ("Differences on mornings", result.worst), ("Versions", result.versions),
        ("Ticks", result.ticks_missing), ("Stuck", result.stuck), ("Not rehearsed", sorted(set(result.skipped))),
    ):  # fmt: skip
        if found:
            out += ["", f"{title}:", "", *(f"- {line}" for line in found)]
    return "\n".join(out) + "\n"


def _mark(line: Line) -> str:
    return {True: "met", False: "**missed**", None: ""}[line.met]
