"""Damaged and hostile model files: each compiles, or is refused with a short message, in bounded time and memory."""
