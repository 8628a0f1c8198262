"""The names of a design's ports that carry no tensor, as ports.json and its users know them."""

CLOCK = "clk"
RESET = "rst"
"""Synchronous, high."""
IN_VALID, OUT_VALID = "in_valid", "out_valid"
CONTROL = (CLOCK, RESET, IN_VALID, OUT_VALID)
