"""The entry point of the command `dnabert`.

It lies beside the package to be imported before it: that it is loaded tells `dnabert_hf` that the
command runs, whatever a program is called.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C while it loads ends it in a line, as afterwards."""
    try:
        from dnabert_hf.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("dnabert: stopped\n")
        sys.exit(130)
