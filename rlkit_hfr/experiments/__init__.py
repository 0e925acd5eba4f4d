"""Command-line programs. Each runs as ``python launchers/NAME.py --help``."""
