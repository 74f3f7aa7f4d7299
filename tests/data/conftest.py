"""A small genome for tests of what is built from one."""

import random

import pytest

from dnabert_hf.data.genome.genome import open_genome


@pytest.fixture
def make_genome(tmp_path):
    """Open sequences by name as a genome."""

    def make(**contigs):
        path = tmp_path / f"genome{len(list(tmp_path.iterdir()))}.fa"
        path.write_text("".join(f">{name}\n{letters}\n" for name, letters in contigs.items()))
        return open_genome(path, cache_dir=tmp_path / "cache")

    return make


@pytest.fixture
def random_dna():
    """Make DNA of which any stretch is unlike any other."""
    generator = random.Random(7)
    return lambda length, letters="ACGT": "".join(generator.choices(letters, k=length))
