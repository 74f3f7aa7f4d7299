"""Mappings from YAML files."""

from pathlib import Path
from typing import Any

__all__ = ["read_mapping"]


def read_mapping(path: Path, *, fields: str) -> dict[str, Any]:
    """Read a YAML file that holds a mapping.

    YAML's own readers take the last of two equal names in silence; here they are an error.

    Args:
        path: File to read.
        fields: What it must hold, for the message: "fields such as data and models".

    Raises:
        ValueError: If the file cannot be read, is no YAML or no mapping, or a name is there twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names: set[str] = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in names:
                    line = key.start_mark.line + 1
                    raise ValueError(
                        f"{path}, line {line}: {key.value!r} is there twice; rename or remove one"
                    )
                names.add(key.value)
            content = super().construct_mapping(node, deep=deep)
            for key in content:
                if not isinstance(key, str):
                    raise ValueError(
                        f"{path}, line {node.start_mark.line + 1}: a name must be text, found "
                        f"{key!r}; write it in quotes"
                    )
            return content

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except RecursionError as error:
        raise ValueError(
            f"{path} must hold {fields}, found fields within fields beyond any use; correct it"
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} must be a readable YAML file: {reason}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold {fields}, found none")
    return content
