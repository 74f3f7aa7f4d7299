"""Weights of models in files: what may go wrong with them, in words."""

import errno
import json
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

__all__ = ["check_settings", "quiet_transformers", "readable_weights", "without_bars"]


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hold back what transformers says while weights are read or written.

    Its report of weights that fit or not, of which what matters becomes an error of ours, and its
    bars, which flash by; its verbosity and bars are what they were after the block.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with without_bars():
            yield
    finally:
        logging.set_verbosity(verbosity)


@contextmanager
def without_bars() -> Iterator[None]:
    """Hold back the bars of transformers for weights alone; that of a training is another."""
    from transformers.utils import logging

    def make_silent(make: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        return make(*args, **(kwargs | {"disable": True}))

    hook = logging.set_tqdm_hook(make_silent)
    try:
        yield
    finally:
        logging.set_tqdm_hook(hook)


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


def check_settings(folder: str | Path) -> None:
    """Refuse a model folder whose JSON files are damaged, naming the file; transformers does not.

    Args:
        folder: The folder; names of repositories are let through.

    Raises:
        ValueError: If one of them is there and holds no fields.
    """
    for name in ("config.json", "tokenizer_config.json"):
        path = Path(folder) / name
        if not path.is_file():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            found = f"a {type(content).__name__}"
        except ValueError as error:
            content, found = None, f"no valid JSON ({error})"
        if not isinstance(content, dict):
            raise ValueError(
                f"{path} must hold fields of a {name.removesuffix('.json')}, found {found}; copy "
                "or download it again"
            )


def _damage(name: str | Path, error: Exception) -> str:
    reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return (
        f"{name} must hold whole files of weights, found a truncated or damaged one ({reason}); "
        "copy or download them again"
    )
