"""What claude.ai's console lets people download."""
