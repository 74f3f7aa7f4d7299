"""Registration with transformers at the moment that one of its registries is first looked into.

Registering imports the models, and with them torch, for seconds; a script that only tokenizes needs
neither. So `import dnabert_hf` puts dictionaries that wait into the registries of transformers, of
those of its modules that are loaded as of those that will be: whatever is read from or written to
one of them for the first time, everything is registered before.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["register", "register_when_needed"]

_REGISTRIES = {  # of each module, the attribute of its registries that holds what others registered
    "transformers.models.auto.configuration_auto": "_extra_content",
    "transformers.models.auto.modeling_auto": "_extra_content",
    "transformers.models.auto.tokenization_auto": "_extra_content",
    "transformers.pipelines": "supported_tasks",
}
_OUR_NAMES = {"dnabert", "dna_cnn", "token-classification", "text-classification"}


def register() -> None:
    """Register now, unless it is done."""
    if _Waiting.is_on:
        _Waiting.is_on = False
        try:
            import_module("dnabert_hf.registration").register_with_transformers()
        except BaseException:
            _Waiting.is_on = True
            raise


def register_when_needed() -> None:
    """Let the registries of transformers wait, without importing it."""
    _Waiting.is_on = True
    sys.meta_path.insert(0, _Finder())
    for name in _REGISTRIES:
        # A module that is being imported has its registries later, and its loader has begun.
        if name in sys.modules:
            _wait_in(sys.modules[name])


def _is_ours(key: Any) -> bool:
    """Say whether what is registered under a key may change by it: a name, or a class of config."""
    if isinstance(key, str):
        return key in _OUR_NAMES
    return getattr(key, "__module__", "").startswith("dnabert_hf.")


def _looking_up(method: Callable[..., Any]) -> Callable[..., Any]:
    def look_up(self: Any, key: Any, *args: Any) -> Any:
        if _is_ours(key):  # transformers looks for others while it is imported
            register()
        return method(self, key, *args)

    return look_up


def _listing(method: Callable[..., Any]) -> Callable[..., Any]:
    def list_all(self: Any) -> Any:
        register()
        return method(self)

    return list_all


class _Waiting(dict[Any, Any]):
    """A dictionary, before whose first use for DNABERT everything is registered."""

    is_on = False

    __contains__ = _looking_up(dict.__contains__)
    __getitem__ = _looking_up(dict.__getitem__)
    __setitem__ = _looking_up(dict.__setitem__)
    get = _looking_up(dict.get)
    __iter__ = _listing(dict.__iter__)
    __len__ = _listing(dict.__len__)
    items = _listing(dict.items)
    keys = _listing(dict.keys)
    values = _listing(dict.values)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that have registries, and lets these wait once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module as Python does; None for all that have no registry."""
        if fullname not in _REGISTRIES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        loader: Any = None if spec is None else spec.loader
        if loader is not None:
            load = loader.exec_module

            def load_and_wait(module: ModuleType) -> None:
                load(module)
                _wait_in(module)

            loader.exec_module = load_and_wait
        return spec


def _wait_in(module: ModuleType) -> None:
    attribute = _REGISTRIES[module.__name__]
    for value in list(vars(module).values()):
        found = getattr(value, "__dict__", {}).get(attribute)
        if type(found) is dict:
            waiting = _Waiting()
            dict.update(waiting, found)
            setattr(value, attribute, waiting)
