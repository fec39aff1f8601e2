"""Anthropic's Admin API. See README.md beside this file."""
