"""Coverage-guided fuzzing of readers and options: no traceback, nothing lost without a word.

python benchmarks/fuzz_readers.py [SECONDS] (needs atheris: pip install atheris; 10 minutes are the
default). An input is a file for one of the readers of tests/data/fuzzing.py, whose records must all
come out or the file be refused, or a text for one of the options of
tests/cli/options/option_fuzzing.py, which must be refused in a line or be a value that can be given
again. Ends with exit code 0 and the number of inputs tried, or at the first input that breaks a
rule, which libFuzzer then writes to a file `crash-...` here.
"""

import logging
import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import atheris

_TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(_TESTS / "data"), str(_TESTS / "cli" / "options")]
os.environ["DNABERT_HF_CACHE"] = tempfile.mkdtemp()
os.environ["RANK"] = "1"  # which says nothing of names it looks for on the Hub
_INSTRUMENTED = [
    *("dnabert_hf.data", "dnabert_hf.cli.options", "dnabert_hf.interpretation.motifs.files"),
    *("dnabert_hf.training.shared", "dnabert_hf.training.tasks", "dnabert_hf.files"),
    *("dnabert_hf.training.benchmark.suite_yaml", "dnabert_hf.training.pretraining.recipes"),
]
with atheris.instrument_imports(include=_INSTRUMENTED):
    from fuzzing import READERS, check
    from option_fuzzing import NUMBERS, OPTIONS
    from option_fuzzing import check as check_option

_READER_NAMES = sorted(READERS)
_ALL_OPTIONS = {**OPTIONS, **NUMBERS}
_OPTION_NAMES = sorted(_ALL_OPTIONS)
_OPTION = 255  # second byte of an input for an option; else it says whether the file is compressed


def _write_corpus(corpus: Path) -> None:
    for number, name in enumerate(_READER_NAMES):
        for is_gzip in (0, 1):
            content = bytes([number, is_gzip]) + READERS[name].example
            (corpus / f"{name}-{is_gzip}").write_bytes(content)
    for number, name in enumerate(_OPTION_NAMES):
        for index, text in enumerate(_ALL_OPTIONS[name].examples):
            (corpus / f"option-{number}-{index}").write_bytes(
                bytes([number, _OPTION]) + text.encode()
            )


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    tried: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder, corpus = Path(name), Path(name) / "corpus"
        corpus.mkdir()
        _write_corpus(corpus)

        def try_one(letters: bytes) -> None:
            if len(letters) < 2:
                return
            tried["inputs"] += 1
            if tried["inputs"] % 20_000 == 0:
                print(dict(tried), flush=True)
            if letters[1] >= 128:
                option = _OPTION_NAMES[letters[0] % len(_OPTION_NAMES)]
                # As the system hands arguments over: what is no UTF-8 comes as surrogates.
                text = letters[2:].replace(b"\0", b"").decode("utf-8", "surrogateescape")
                is_taken = check_option(_ALL_OPTIONS[option], text) is not None
                tried["options taken" if is_taken else "options refused"] += 1
            else:
                reader = _READER_NAMES[letters[0] % len(_READER_NAMES)]
                is_read = (
                    check(reader, letters[2:], folder, is_gzip=letters[1] % 4 == 1) is not None
                )
                tried["files read" if is_read else "files refused"] += 1

        options = [f"-max_total_time={seconds}", "-max_len=400", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(corpus)], try_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
