"""claude.ai as the platform knows it: for plans without an API, two exports of its console. What they hold is in README.md beside this file."""

from __future__ import annotations

from ai_usage.sources.claude_ai import records
from ai_usage.sources.vendor import Platform, Upload, Vendor

VENDOR = Vendor(
    name="claude_ai",
    title="claude.ai",
    platforms=(Platform("claude_ai", label="Claude.ai", colour=3, invoices_as="Anthropic", service="Claude", account="claude.ai"),),
    exports={
        "claude_ai_audit_log": Upload(
            records.AUDIT_LOG,
            {
                "created_at": "2026-11-01T09:12:03.120000+00:00",
                "actor_info": "{'name': 'First Last', 'uuid': 'person-1', 'metadata': {'email_address': 'name@example.com'}}",
                "event": "conversation_created", "event_info": "{}",
                "entity_info": "{'type': 'chat_conversation', 'uuid': 'conversation-1', 'name': None, 'metadata': {'project_uuid': None}}",
                "ip_address": "", "device_id": "", "user_agent": "", "client_platform": "web_claude_ai",
            },
            header=("actor_info", "created_at"),
        ),
        "claude_ai_spend": Upload(
            records.SPEND,
            {
                "user_email": "name@example.com", "account_uuid": "person-1", "product": "Chat", "model": "claude-sonnet-5", "total_requests": "4",
                "total_prompt_tokens": "1203", "total_completion_tokens": "877", "total_net_spend_usd": "0.0151", "total_gross_spend_usd": "0.0167",
                "user_id": "user-1", "total_uncached_input_tokens": "1003", "total_cache_read_tokens": "200", "total_cache_write_5m_tokens": "0",
                "total_cache_write_1h_tokens": "0", "total_web_search_count": "0", "slack_channel_id": "", "teams_channel_id": "",
            },
            named="spend-report",
            header=("net_spend",),
        ),
    },
)  # fmt: skip
