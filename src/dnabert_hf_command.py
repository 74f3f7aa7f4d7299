"""The entry point of the command `dnabert`.

It lies beside the package to be imported before it: that it is loaded tells `dnabert_hf` that the
command runs, whatever a program is called.
"""

from dnabert_hf.cli.main import main

__all__ = ["main"]
