"""Cursor on localhost: event pages, daily rows, groups."""
