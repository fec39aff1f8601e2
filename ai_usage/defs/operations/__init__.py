"""What keeps the platform running: schedule, sensors, cleaning, the report, dropped files."""
