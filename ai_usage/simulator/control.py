"""The simulator's own endpoints, under /_simulator: for demos and tests in another process.

Belongs here: reading the books and the log, restating a day, scripting faults.
Does not belong here: anything that a vendor offers.
"""

from __future__ import annotations

from collections import Counter

from .faults import Fault, script
from .wire import Problem, Request, Response, Vendor, parse_day


class Control(Vendor):
    name = "simulator"
    paths = ("/_simulator/",)

    def __init__(self, simulator) -> None:
        self._simulator = simulator
        super().__init__(simulator.world)

    def routes(self):
        return [
            ("GET", "/_simulator/truth", self._truth),
            ("POST", "/_simulator/restate", self._restate),
            ("POST", "/_simulator/faults", self._faults),
            ("GET", "/_simulator/log", self._log),
        ]

    def error(self, status: int, message: str | None = None) -> Response:
        return Response.json(status, {"error": status, "message": message or "no such thing"})

    def _truth(self, request: Request) -> Response:
        first, last, version = (request.arg(name) for name in ("from", "to", "version"))
        try:
            books = self.world.truth if version is None else self.world.truth_at(int(version))
        except ValueError as error:
            raise Problem(400, str(error)) from None
        return Response.json(200, books.as_json((first and parse_day(first)) or None, (last and parse_day(last)) or None))

    def _restate(self, request: Request) -> Response:
        """{"day", "kind"} corrects Cursor's day; with "vendor": "anthropic" Anthropic's."""
        body = request.body if isinstance(request.body, dict) else {}
        vendor = body.get("vendor", "cursor")
        try:
            if vendor not in ("cursor", "anthropic"):
                raise ValueError(f"vendor is cursor or anthropic, not {vendor!r}")
            restate = self.world.restate if vendor == "cursor" else self.world.restate_anthropic
            version = restate(parse_day(body.get("day")), str(body.get("kind")))
        except ValueError as error:
            raise Problem(400, str(error)) from None
        return Response.json(200, {"version": version})

    def _faults(self, request: Request) -> Response:
        """A list of faults is added; an empty list clears; {"script": "rough"} adds a named script."""
        body, faults = request.body, list[Fault]()
        try:
            if isinstance(body, dict) and "script" in body:
                faults = list(script(body["script"], body.get("seed", self.world.seed), self.world.anthropic))
            elif isinstance(body, list):
                faults = [Fault.from_json(item) for item in body]
            else:
                raise ValueError("a JSON list of faults is expected")
        except (TypeError, ValueError) as error:
            raise Problem(400, str(error)) from None
        if not faults:
            self._simulator.clear_faults()
        for fault in faults:
            self._simulator.add_fault(fault)
        return Response.json(200, {"added": len(faults)})

    def _log(self, request: Request) -> Response:
        log = list(self._simulator.log)
        counts = Counter((r.method, r.path, r.status, r.fault) for r in log)
        rows = [
            {"method": method, "path": path, "status": status, "fault": fault, "count": n}
            for (method, path, status, fault), n in sorted(counts.items(), key=str)
        ]
        return Response.json(200, {"requests": len(log), "counts": rows})
