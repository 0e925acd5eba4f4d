"""Adapt a trained MIER to test tasks: ``python launchers/extrapolate.py --help``."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)  # the packages of this clone
    from rlkit_hfr.signals import exit_on_interrupt

    exit_on_interrupt()
    from rlkit_hfr.cli import main

    sys.exit(main(["extrapolate", *sys.argv[1:]]))
