"""A small genome for tests of what is built from one."""

import random
import zlib

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


@pytest.fixture
def bgzip():
    """Compress blocks as bgzip does (SAM specification, section 4.1), with or without the end."""

    def block(content):
        compressor = zlib.compressobj(wbits=-15)
        packed = compressor.compress(content) + compressor.flush()
        head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\x00BC\x02\x00"
        sizes = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
        return head + (len(packed) + 25).to_bytes(2, "little") + packed + sizes

    return lambda *contents, is_whole=True: b"".join(
        map(block, [*contents, *([b""] if is_whole else [])])
    )
