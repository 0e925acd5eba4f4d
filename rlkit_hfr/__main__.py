"""``python -m rlkit_hfr``: the programs of `rlkit_hfr.cli`."""
import sys

from rlkit_hfr.cli import main

if __name__ == "__main__":
    sys.exit(main())
