"""A lowering strategy and a pass for c4ml-xdsl, in a package of their own."""
