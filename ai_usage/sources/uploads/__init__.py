"""Files that people drop when a vendor's API is down. See README.md."""
