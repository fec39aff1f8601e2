"""What comes from outside, kept within bounds: sizes and times, files and links, hosts and redirects, text by the place it goes to.

Knows nothing of the product; every room may call it.
"""
