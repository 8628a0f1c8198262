"""Faults planted into the final IR of small circuits, which no proof may overlook."""
