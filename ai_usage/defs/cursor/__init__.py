"""Cursor's raw tables."""
