"""The Google Sheet's raw tables and the sensor that watches it."""
