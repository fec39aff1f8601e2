"""Dimensions and facts."""
