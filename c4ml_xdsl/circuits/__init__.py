"""Numeric solvers and cost models: numbers and plans, no IR."""
