"""``python -m rlkit_hfr``: the programs of `rlkit_hfr.cli`."""

import sys

from rlkit_hfr.signals import exit_on_interrupt

if __name__ == "__main__":
    exit_on_interrupt()
    from rlkit_hfr.cli import main

    sys.exit(main())
