"""The views that people read."""
