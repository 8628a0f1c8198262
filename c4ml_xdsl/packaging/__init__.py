"""
What goes into a package beside the design itself: test benches, wrappers, scripts, a core file, a README.

This part knows ports, the interface and file texts, no IR. Every text is the same from run to run.
"""
