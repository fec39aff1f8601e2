"""AI Usage Analytics: who spent what on AI tools, what came of it, and whether the number is right."""

import logging

__version__ = "0.1.0"

logging.getLogger("ai_usage").addHandler(logging.NullHandler())  # where nobody listens, nothing is said: not even Python's last resort
