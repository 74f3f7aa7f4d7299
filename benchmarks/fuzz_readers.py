"""Coverage-guided fuzzing of the readers: no traceback, no record lost without a word.

python benchmarks/fuzz_readers.py [SECONDS] (needs atheris: pip install atheris; 10 minutes are the
default). Ends with exit code 0 and the number of inputs tried, or at the first input that breaks a
rule of tests/data/fuzzing.py, which libFuzzer then writes to a file `crash-...` here.
"""

import logging
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "data"))
with atheris.instrument_imports(include=["dnabert_hf.data"]):
    from fuzzing import READERS, check

_NAMES = sorted(READERS)


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as name:
        folder, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        for number, reader in enumerate(_NAMES):
            for is_gzip in (0, 1):
                seed = bytes([number, is_gzip]) + READERS[reader].example
                (corpus / f"{reader}-{is_gzip}").write_bytes(seed)

        def try_one(letters: bytes) -> None:
            if len(letters) > 2:
                reader = _NAMES[letters[0] % len(_NAMES)]
                check(reader, letters[2:], folder, is_gzip=letters[1] % 4 == 1)

        options = [f"-max_total_time={seconds}", "-max_len=400", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
