"""claude.ai's exports: one asset for each raw table."""
