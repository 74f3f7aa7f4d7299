"""Model cards under the name of the repository that they go to."""

import re

__all__ = ["name_card"]

_FENCE = re.compile(r"^```(python|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def name_card(card: str, name: str) -> str:
    r"""Put the name of a repository in place of that of a folder.

    Cards that this package writes are headed by the name of the model and load it by that name in
    their code. Both change, and so does the name above the scores; a card whose code does not load
    what its heading says was written by somebody else and stays as it is.

    Args:
        card: Content of README.md.
        name: Repository, such as "lab/dnabert-6-promoters".

    Example:
        >>> name_card("# tss\n```bash\ndnabert predict tss s.fa\n```\nOf tss.", "lab/tss")
        '# lab/tss\n```bash\ndnabert predict lab/tss s.fa\n```\nOf tss.'
    """
    title = re.search(r"^# (\S+)$", card, re.MULTILINE)
    if title is None:
        return card
    old = re.escape(title[1])
    # A word of a command, but not the command; a string of Python.
    patterns = {"bash": rf"(?!^)(?<![\w./-]){old}(?![\w./-])", "python": rf'(?<="){old}(?=")'}
    if not any(
        re.search(patterns[code[1]], code[2], re.MULTILINE) for code in _FENCE.finditer(card)
    ):
        return card

    def rename(code: re.Match[str]) -> str:
        # A checkpoint of the package is found without it once it is a repository.
        packaged = rf'dnabert_hf\.checkpoint\("{old}"\)'
        text, n_packaged = re.subn(packaged, f'"{name}", trust_remote_code=True', code[0])
        if n_packaged:
            text = text.replace("import dnabert_hf\n", "")
        return re.sub(patterns[code[1]], name, text, flags=re.MULTILINE)

    card = _FENCE.sub(rename, card)
    card = card.replace(f"# {title[1]}\n", f"# {name}\n", 1)
    index = "\nmodel-index:\n- name: {}\n".format
    return card.replace(index(title[1]), index(name))
