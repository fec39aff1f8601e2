"""Inputs that nobody thought of, for what reads text from outside. `scripts/fuzz` runs them with atheris, guided by coverage; `make prove` two minutes of each.

Belongs here: the targets, a small corpus of inputs that once mattered, and the runner. Does not belong here: laws about what is read (`properties/`).
"""
