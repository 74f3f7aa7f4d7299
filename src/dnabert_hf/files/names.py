"""Names of files made of labels and ids, which may hold anything."""

import re
from collections.abc import Iterable

__all__ = ["name_files"]

_LONGEST = 240  # bytes of a name; 255 are possible


def name_files(template: str, texts: Iterable[str], *, placeholder: str) -> list[str]:
    """Make a name of its own of each text.

    Letters that a file should not have in its name become "_", a name that is too long is cut, and
    where that makes two alike, the later ones get a number.

    Args:
        template: Name of a file, without its folder.
        texts: Labels or ids.
        placeholder: What the text replaces in the template.

    Returns:
        The name of the file of each text, in their order.

    Example:
        >>> name_files("p-{id}.png", ["a/b", "a b", "..", ""], placeholder="{id}")
        ['p-a_b.png', 'p-a_b-2.png', 'p-...png', 'p-_.png']
    """
    room = _LONGEST - len(template.replace(placeholder, "").encode())
    names: list[str] = []
    taken: set[str] = set()
    for text in texts:
        safe = re.sub(r"[^\w.+-]+", "_", text) or "_"
        number = 1
        while True:
            mark = "" if number == 1 else f"-{number}"
            cut = safe.encode()[: max(room - len(mark), 1)].decode(errors="ignore")
            name = template.replace(placeholder, f"{cut}{mark}")
            if name.casefold() not in taken:  # of which some disks tell no difference
                break
            number += 1
        taken.add(name.casefold())
        names.append(name)
    return names
