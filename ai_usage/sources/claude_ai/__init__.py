"""claude.ai's console exports, for plans without an API. See README.md."""
