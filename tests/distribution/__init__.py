"""What is handed on: the wheel and the source archive, their contents, and that they work where nothing else is."""
