"""Google Sheets on localhost, and what finance keeps in one."""
