"""Frames through the AXI-Stream wrappers of packages, in cocotb."""
