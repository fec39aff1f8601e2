"""Anthropic's raw tables."""
