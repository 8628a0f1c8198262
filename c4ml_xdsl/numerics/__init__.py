"""Exact arithmetic: rounding, elementwise chains, staircases of thresholds. No IR."""
