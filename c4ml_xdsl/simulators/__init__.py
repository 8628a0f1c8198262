"""The real RTL run by Verilator and Icarus Verilog."""
