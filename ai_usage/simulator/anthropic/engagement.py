"""Anthropic's engagement endpoint of Enterprise organizations: GET /v1/organizations/analytics/users.

Belongs here: one day per call; chat metrics are those of the books (`claude_ai_usage_by_day_user`).
Does not belong here: other engagement endpoints (not simulated); Claude Code, which its own report tells.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from ..wire import Problem, Request, parse_day
from .query import cursor, fingerprint, only, uncursor, whole_number

EARLIEST = date(2026, 1, 1)
_TOOLS = ("edit_tool", "multi_edit_tool", "notebook_edit_tool", "write_tool")
_OFFICE = (
    "connectors_used_count", "distinct_connectors_used_count", "distinct_session_count", "distinct_skills_used_count",
    "message_count", "skills_used_count",
)  # fmt: skip
_COWORK = (
    "action_count", "artifacts_created_count", "connectors_used_count", "dispatch_turn_count", "distinct_connectors_used_count",
    "distinct_session_count", "distinct_skills_used_count", "message_count", "skills_used_count",
)  # fmt: skip
_COWORK_UNKNOWN = (
    "distinct_plugins_used_count", "edit_tool_count", "file_edit_count", "multi_edit_tool_count", "notebook_edit_tool_count",
    "plugins_used_count", "sessions_with_file_edits_count", "write_tool_count",
)  # fmt: skip


def latest_day(world) -> date:
    """The world's last day is not aggregated yet."""
    return world.last_day - timedelta(days=1)


def engagement(world, request: Request) -> dict[str, Any]:
    only(request, "date", "limit", "page")
    if request.arg("date") is None:
        raise Problem(400, "date: Field required (the simulator has the date mode only)")
    day = parse_day(request.arg("date"))
    if day > latest_day(world):
        raise Problem(400, f"date: data is not available yet; the latest available day is {latest_day(world)}")
    if day < EARLIEST:
        raise Problem(400, f"date: there is no data before {EARLIEST}")
    limit, start, mark = whole_number(request, "limit", 100, 1000), 0, fingerprint(request)
    if (page := request.arg("page")) is not None:
        given, _, place = uncursor(page).partition("|")
        if given != mark or not place.isdigit():
            raise Problem(400, "page: this cursor belongs to another query")
        start = int(place)
    people = {p.email: p.index for p in world.cast.people}
    used = sorted(
        (email, counts) for (d, email), counts in world.claude_ai_usage.items() if d == day and people[email] in world.anthropic_org.user_of
    )
    more = start + limit < len(used)
    return {
        "data": [_row(world.anthropic_org.user_of[people[email]], counts, day) for email, counts in used[start : start + limit]],
        "next_page": cursor(f"{mark}|{start + limit}") if more else None,
    }


def _row(user, counts: dict[str, int], day: date) -> dict[str, Any]:
    zero_tools = {name: {"accepted_count": 0, "rejected_count": 0} for name in _TOOLS}
    return {
        "user": {"id": user.id, "email_address": user.email, "type": "user"},
        "chat_metrics": {
            "connectors_used_count": 0,
            "distinct_artifacts_created_count": 0,
            "distinct_connectors_used_count": 0,
            "distinct_conversation_count": counts["conversations"],
            "distinct_files_uploaded_count": counts["files"],
            "distinct_projects_created_count": 0,
            "distinct_projects_used_count": counts["projects"],
            "distinct_shared_artifacts_viewed_count": 0,
            "distinct_skills_used_count": 0,
            "message_count": counts["messages"],
            "shared_conversations_viewed_count": 0,
            "thinking_message_count": counts["messages"] // 10,
        },
        "claude_code_metrics": {
            "core_metrics": {
                "artifacts_created_count": 0,
                "commit_count": 0,
                "distinct_session_count": 0,
                "lines_of_code": {"added_count": 0, "removed_count": 0},
                "pull_request_count": 0,
            },
            "tool_actions": zero_tools,
        },
        "cowork_metrics": dict.fromkeys(_COWORK, 0) | dict.fromkeys(_COWORK_UNKNOWN),
        "design_metrics": dict.fromkeys(
            ("distinct_projects_created_count", "distinct_projects_used_count", "distinct_session_count", "message_count"), 0
        ),
        "office_metrics": {app: dict.fromkeys(_OFFICE, 0) for app in ("excel", "outlook", "powerpoint", "word")},
        "science_metrics": dict.fromkeys(
            ("delegation_count", "distinct_session_count", "message_count", "remote_compute_job_count", "skills_used_count"), 0
        ),
        "web_search_count": counts["messages"] // 20,
        "distinct_user_count": None,
        "last_activity_date": str(day),
    }
