"""Write the folders of this package: tokenizer files and configuration of each published k.

Run as `python -m dnabert_hf.tokenizer_files.generate FOLDER`.
"""

import sys
from pathlib import Path

from dnabert_hf.modeling.configuration_dnabert import PUBLISHED_K, DNABertConfig
from dnabert_hf.modeling.tokenization_dnabert import DNABertTokenizer

__all__ = ["write_tokenizer_files"]


def write_tokenizer_files(folder: Path) -> None:
    """Write `dnabert-3` to `dnabert-6` into a folder, without the code that a Hub repository has.

    Args:
        folder: Where the four folders go; made if it is not there.
    """
    for k in PUBLISHED_K:
        target = folder / f"dnabert-{k}"
        DNABertTokenizer(k=k).save_pretrained(target)
        DNABertConfig(k=k).save_pretrained(target)
        for code in target.glob("*.py"):
            code.unlink()


if __name__ == "__main__":
    write_tokenizer_files(Path(sys.argv[1]))
