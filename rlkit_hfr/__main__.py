"""``python -m rlkit_hfr``: the programs of `rlkit_hfr.cli`."""

import sys

from rlkit_hfr.signals import exit_on_interrupt


def main() -> int:
    """Of the command ``rlkit-hfr``, too: Ctrl-C is one line from here on."""
    exit_on_interrupt()
    from rlkit_hfr import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
