"""AI Usage Analytics: who spent what on AI tools, what came of it, and whether the number is right."""

__version__ = "0.1.0"
