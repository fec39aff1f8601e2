"""Anthropic on localhost: its organization, its days, its books, and the endpoints that show them."""
