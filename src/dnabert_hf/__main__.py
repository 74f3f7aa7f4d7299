"""`python -m dnabert_hf`: the command `dnabert`."""

from dnabert_hf.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
