"""`python -m ai_usage.simulator`: the vendors in a process of their own.

Belongs here: arguments, one JSON line when it listens, a clean end.
Does not belong here: behaviour.
"""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import date

from .numbers import dumps
from .server import Simulator
from .world import World


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m ai_usage.simulator", description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--from", dest="first_day", type=date.fromisoformat, default=date(2026, 8, 1))
    parser.add_argument("--to", dest="last_day", type=date.fromisoformat, default=date(2026, 11, 21))
    parser.add_argument("--events-per-person-day", type=float, default=6.0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--key", default="simulator", help="the Cursor key that is accepted")
    parser.add_argument("--anthropic", action="store_true", help="with an Anthropic organization")
    parser.add_argument("--anthropic-key", default="simulator", help="the Anthropic Admin key that is accepted")
    parser.add_argument("--api-keys", type=int, default=12)
    parser.add_argument("--claude-code-users", type=int, default=None)
    parser.add_argument("--enterprise", action="store_true", help="with an Enterprise organization beside it")
    parser.add_argument("--analytics", choices=["allowed", "forbidden"], default="allowed")
    parser.add_argument("--faults", choices=["rough"], default=None)
    parser.add_argument("--rate-limit", action="store_true")
    parser.add_argument("--warm", action="store_true", help="render all event pages (1-day windows, 1000) before listening")
    given = parser.parse_args(argv)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    world = World(
        given.seed,
        given.people,
        given.first_day,
        given.last_day,
        given.events_per_person_day,
        anthropic=given.anthropic,
        api_keys=given.api_keys,
        claude_code_users=given.claude_code_users,
        analytics=given.analytics,
        enterprise=given.enterprise,
    )
    simulator = Simulator(
        world,
        port=given.port,
        latency_s=given.latency_ms / 1000,
        faults=given.faults or (),
        rate_limit=given.rate_limit,
        cursor_key=given.key,
        host=given.host,
        anthropic_key=given.anthropic_key,
    )
    if given.warm:
        simulator.warm(world.first_day, world.last_day)
        if world.anthropic:
            world.truth.anthropic.usd()  # generates every day; its pages are rendered when first asked for
    with simulator:
        hello = {"url": simulator.url, "sheet_id": simulator.sheet_id, "key": given.key}
        print(dumps(hello | ({"anthropic_key": given.anthropic_key} if given.anthropic else {})), flush=True)
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
