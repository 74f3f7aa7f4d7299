"""Weights of models in files: what may go wrong with them, in words."""

import errno
import pickle
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

__all__ = ["readable_weights"]


@contextmanager
def readable_weights(name: str | Path) -> Iterator[None]:
    """Say in words why weights cannot be read, if reading them fails in the block.

    Pickles are read by torch with `weights_only`, which runs no code but raises where some is
    asked for.

    Args:
        name: File, folder or repository of the weights, for the error.

    Raises:
        ValueError: If they are damaged, or a pickle of more than tensors.
    """
    try:
        yield
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL (\S+)", str(error))
        found = f"found {code[1]}" if code else "found something else, or a damaged file"
        raise ValueError(
            f"{name} must be a pickle of tensors alone, {found}: refused, since loading it may run "
            "any code; use a copy of the weights as safetensors, or have it saved as a state_dict"
        ) from error
    except (SafetensorError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(_damage(name, error)) from error
    except OSError as error:  # which a file of torch gives that was cut near its end
        if error.errno != errno.EINVAL or error.filename is not None:
            raise
        raise ValueError(_damage(name, error)) from error
    except RuntimeError as error:
        if "PytorchStreamReader" not in str(error):
            raise
        raise ValueError(_damage(name, error)) from error


def _damage(name: str | Path, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        f"{name} must hold whole files of weights, found a truncated or damaged one ({reason}); "
        "copy or download them again"
    )
