import errno
import gzip
import logging
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest

from dnabert_hf import DNABertTokenizer
from dnabert_hf.data.genome import genome
from dnabert_hf.data.genome.genome import BASE_CODES, Contig, Genome, open_genome
from dnabert_hf.data.reading import fasta

# Two contigs: 11 bases with N and lower case, 4 bases.
TINY = b">chr1 the first\nACGTn\nNacu\n\nRY\n>chr2\r\nGG\r\nGG\r\n"
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


@pytest.fixture
def make(tmp_path):
    """Write FASTA files and open them as a genome."""

    def make_genome(*contents):
        paths = [tmp_path / f"{number}.fa" for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return open_genome(paths, cache_dir=tmp_path / "cache")

    return make_genome


def bgzip_block(content):
    compressor = zlib.compressobj(wbits=-15)
    data = compressor.compress(content) + compressor.flush()
    extra = b"BC\x02\x00" + (len(data) + 25).to_bytes(2, "little")
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\x00" + extra
    return (
        head + data + zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
    )


def stores(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache" / "genomes").iterdir())


def test_contigs_codes_offsets_and_runs_are_as_counted_by_hand(make, tmp_path):
    opened = make(TINY, b">chrM\nTTA\n")
    first, second = str(tmp_path / "0.fa"), str(tmp_path / "1.fa")
    assert opened.contigs == (
        Contig("chr1", 11, first),
        Contig("chr2", 4, first),
        Contig("chrM", 3, second),
    )
    assert opened.offsets.tolist() == [0, 11, 15, 18]
    assert opened.offsets.dtype == opened.runs.dtype == np.int64
    chr1 = [0, 2, 3, 1, 128 + 4, 4, 128 + 0, 128 + 2, 128 + 1, 5, 6]
    assert opened.codes.tolist() == [*chr1, 3, 3, 3, 3, 1, 1, 0]
    assert opened.runs.tolist() == [[0, 0, 4], [0, 6, 9], [1, 0, 4], [2, 0, 3]]
    assert opened.n_other == 4
    assert repr(opened) == f"Genome(3 contigs, 18 bases, {str(opened.folder)!r})"


@pytest.mark.parametrize("text", [b"CCTCTG CTCTGC TCTGCC", b"CCT\nCTC\nTCT\n", b"ACA CAC " * 999])
def test_a_genome_of_kmer_text_is_refused(make, text):
    with pytest.raises(ValueError, match=r"record chr2: a genome must be DNA, found overlapping"):
        make(b">chr1\nACGTTTACGG\n>chr2\n" + text)


def test_a_sequence_comes_in_upper_case_or_soft_masked_from_either_strand(make):
    opened = make(TINY)
    assert opened.sequence("chr1", 0, 11) == "ACGTNNACTRY"
    assert opened.sequence("chr1", 0, 11, soft_masked=True) == "ACGTnNactRY"
    assert opened.sequence("chr1", 3, 10, "-") == "YAGTNNA"
    assert opened.sequence("chr1", 3, 10, "-", soft_masked=True) == "YagtNnA"
    assert opened.sequence("chr2", 3, 4) == "G"
    assert opened.sequence("chr2", 4, 4) == ""


def test_every_iupac_letter_is_coded_and_complemented(make):
    opened = make(b">x\nATCGNRYSWKMBDHVU\n")
    assert opened.codes.tolist() == [*range(15), 1]
    assert opened.sequence("x", 0, 16) == "ATCGNRYSWKMBDHVT"
    assert opened.sequence("x", 0, 16, "-") == "ABDHVKMWSRYNCGAT"
    assert [*BASE_CODES] == list("ATCGNRYSWKMBDHV")


def test_codes_are_the_digits_of_the_vocabulary(make):
    codes = make(b">x\nACGTTGCA\n").codes.astype(int)
    ids = DNABertTokenizer(k=3)("ACGTTGCA", add_special_tokens=False)["input_ids"]
    assert (5 + 16 * codes[:-2] + 4 * codes[1:-1] + codes[2:]).tolist() == ids


def random_fasta(rng):
    """Draw contigs with stretches of N and of lower case, and lines broken in every way."""
    contigs, text = {}, ""
    for number in range(rng.randint(1, 5)):
        parts = []
        for _ in range(rng.randint(1, 8)):
            letters = rng.choice(["ACGT", "acgt", "N", "nN", "ACGTUu", "RYSWKMBDHVrysw"])
            parts.append("".join(rng.choices(letters, k=rng.randint(1, 12))))
        sequence = "".join(parts)
        contigs[f"c{number}"] = sequence
        text += f">c{number} a>b" + rng.choice(["\n", "\r\n", "\n\n"])
        width = rng.choice([1, 5, 1000])
        for start in range(0, len(sequence), width):
            text += sequence[start : start + width] + rng.choice(["\n", "\r\n", "\n \n"])
    return contigs, text.rstrip() if rng.random() < 0.5 else text


@pytest.mark.parametrize("block_size", [1, 2, 3, 7, 64, 1 << 20])
def test_any_fasta_gives_what_plain_python_gives(make, monkeypatch, block_size):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    opposite = str.maketrans("ACGTRYKMBVDHacgtrykmbvdh", "TGCAYRMKVBHDtgcayrmkvbhd")
    rng = random.Random(block_size)
    for _ in range(25):
        contigs, text = random_fasta(rng)
        opened = make(b">only\nACGT\n", text.encode())
        runs = [[0, 0, 4]]
        for index, (name, letters) in enumerate(contigs.items(), start=1):
            bases = re.finditer("[ACGTU]+", letters, re.IGNORECASE)
            runs += [[index, match.start(), match.end()] for match in bases]
            dna = letters.translate(str.maketrans("Uu", "Tt"))
            start = rng.randint(0, len(dna))
            end = rng.randint(start, len(dna))
            reverse = dna[start:end].translate(opposite)[::-1]
            assert opened.sequence(name, start, end, soft_masked=True) == dna[start:end]
            assert opened.sequence(name, start, end) == dna[start:end].upper()
            assert opened.sequence(name, start, end, "-", soft_masked=True) == reverse
            assert opened.sequence(name, start, end, "-") == reverse.upper()
        assert opened.runs.tolist() == runs
        opened.verify()


def test_plain_gzip_and_bgzip_give_one_fingerprint(tmp_path):
    bgzip = bgzip_block(TINY[:20]) + bgzip_block(TINY[20:]) + BGZIP_END
    contents = {"a.fa": TINY, "b.fa.gz": gzip.compress(TINY), "c.fa.bgz": bgzip, "d.gz": bgzip}
    fingerprints = set()
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        opened = open_genome(str(tmp_path / name), cache_dir=tmp_path / "cache")
        assert opened.sequence("chr1", 0, 11) == "ACGTNNACTRY"
        fingerprints.add(opened.fingerprint)
    assert len(fingerprints) == 1


@pytest.mark.parametrize("other", [b">chr1\nACGA\n", b">chr2\nACGT\n", b">chr1\nACG\n>x\nT\n"])
def test_other_content_has_another_fingerprint(make, other):
    assert make(b">chr1\nACGT\n").fingerprint != make(other).fingerprint


def test_a_store_is_built_once_and_again_when_its_file_changes(make, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="dnabert_hf.data.genome.genome")
    first = make(TINY)
    assert "2 contigs, 15 bases, 4 letters other than A, C, G, T" in caplog.text
    caplog.clear()
    again = open_genome(tmp_path / "0.fa", cache_dir=tmp_path / "cache")
    assert again.folder == first.folder
    assert not caplog.text
    changed = make(TINY.replace(b"GG", b"CC"))
    assert changed.sequence("chr2", 0, 4) == "CCCC"
    assert first.sequence("chr2", 0, 4) == "GGGG"
    os.utime(tmp_path / "0.fa", ns=(0, 0))
    assert open_genome(tmp_path / "0.fa", cache_dir=tmp_path / "cache").folder != changed.folder
    assert len(stores(tmp_path)) == 3


def test_damage_that_hides_its_time_is_found_by_verify(make):
    opened = make(TINY)
    path = opened.folder / "codes.bin"
    state = path.stat()
    path.write_bytes(bytes(state.st_size))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(ValueError, match=r"found checksum \w+ instead of \w+; delete this folder"):
        Genome(opened.folder).verify()


def test_a_copy_of_a_store_is_read_and_opened(make, tmp_path):
    opened = make(TINY)
    shutil.copytree(opened.folder, tmp_path / "copy", copy_function=shutil.copyfile)
    assert Genome(tmp_path / "copy").sequence("chr2", 0, 4) == "GGGG"


def test_a_file_of_the_same_size_and_time_in_the_place_of_another_is_read(make, tmp_path):
    """As archives and `touch -r` make them: hard- and soft-masked genomes have equal sizes."""
    first = make(TINY)
    path = tmp_path / "0.fa"
    state = path.stat()
    path.write_bytes(TINY.replace(b"GG", b"CC"))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    again = open_genome(path, cache_dir=tmp_path / "cache")
    assert again.folder != first.folder
    assert again.sequence("chr2", 0, 4) == "CCCC"
    other = tmp_path / "other.fa"
    other.write_bytes(TINY.replace(b"GG", b"TT"))
    os.utime(other, ns=(state.st_atime_ns, state.st_mtime_ns))
    other.replace(path)
    assert open_genome(path, cache_dir=tmp_path / "cache").sequence("chr2", 0, 4) == "TTTT"


def test_stores_half_built_a_day_ago_are_removed(make, tmp_path):
    folder = make(TINY).folder.parent
    for age in (0, 2 * 24 * 3600):
        building = folder / f"0123.building-{age}"
        building.mkdir()
        (building / "codes.bin").write_bytes(b"half")
        for path in (building / "codes.bin", building):
            os.utime(path, (time.time() - age, time.time() - age))
    make(TINY.replace(b"GG", b"CC"))
    assert [path.name for path in folder.glob("*.building-*")] == ["0123.building-0"]


def test_a_pickle_holds_the_path_alone(make):
    opened = make(b">x\n" + b"ACGT" * 10000)
    text = pickle.dumps(opened)
    copy = pickle.loads(text)
    assert len(text) < 500
    assert copy.sequence("x", 39998, 40000, "-") == "AC"
    assert copy.fingerprint == opened.fingerprint


@pytest.mark.parametrize(
    ("variables", "place"),
    [
        ({"DNABERT_HF_CACHE": "own", "XDG_CACHE_HOME": "xdg"}, "own"),
        ({"DNABERT_HF_CACHE": "", "XDG_CACHE_HOME": "xdg"}, "xdg/dnabert_hf"),
        ({}, "home/.cache/dnabert_hf"),
    ],
)
def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch, variables, place):
    for name in ("DNABERT_HF_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value and str(tmp_path / value))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "x.fa").write_bytes(TINY)
    assert open_genome(tmp_path / "x.fa").folder.parent == tmp_path / place / "genomes"


def test_threads_that_build_at_once_share_the_store_of_the_first(tmp_path, monkeypatch):
    barrier = threading.Barrier(3)
    write_store = genome.write_store

    def write_together(*args, **kwargs):
        barrier.wait(timeout=60)
        write_store(*args, **kwargs)

    monkeypatch.setattr(genome, "write_store", write_together)
    (tmp_path / "x.fa").write_bytes(TINY)
    opened = []
    threads = [
        threading.Thread(
            target=lambda: opened.append(
                open_genome(tmp_path / "x.fa", cache_dir=tmp_path / "cache")
            )
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 3
    assert stores(tmp_path) == [opened[0].folder.name]
    for one in opened:
        one.verify()


@pytest.mark.slow
def test_processes_that_build_at_once_share_one_store(tmp_path):
    sequence = "".join(random.Random(0).choices("ACGTNacgt", k=1_000_000))
    (tmp_path / "x.fa").write_text(f">x\n{sequence}\n")
    code = (
        "import sys; from pathlib import Path\n"
        "from dnabert_hf.data.genome.genome import open_genome\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "opened = open_genome(sys.argv[1], cache_dir=Path(sys.argv[2]))\n"
        "print(opened.sequence('x', 999999, 1000000))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "x.fa"), str(tmp_path / "cache")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert output.strip() == sequence[-1].upper()
        assert process.returncode == 0
    assert len(stores(tmp_path)) == 1


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (
            [b">a\nACGT\n>b\nACGT\nAXG\n"],
            r"0\.fa, record b: .* found 'X' at position 5 \(0-based\)",
        ),
        ([b">a\nAC\xc3\xa9T\n"], r"0\.fa, record a: .* found '.' at position 2 \(0-based\)"),
        ([b">a\nAC\n>b\nA\n>a\nC\n"], r"0\.fa, record 2 .* found 'a' again after .*record 0 "),
        ([b">b\nA\n>a\nA\n", b">c\nA\n>a\nC\n"], r"1\.fa, record 1 .* 'a' .*0\.fa, record 1 "),
        ([b">a\nA\n>b\n\n>c\nA\n"], r"0\.fa, record b has a header but no sequence"),
        ([b">a\nA\n>b"], r"0\.fa, record b has a header but no sequence"),
        ([b">a\nA\n> \nACGT\n"], r"0\.fa, record 1 \(0-based\): .* its name, in UTF-8, found b' '"),
        ([b">\xff\nACGT\n"], r"0\.fa, record 0 \(0-based\): .* in UTF-8, found b'\\xff'"),
        ([b">a\nNNNN\n", b">b\nRn\n"], r"some A, C, G or T, found only other letters in .*0\.fa, "),
        ([b"ACGT\n>a\nA\n"], r"0\.fa: a genome must be FASTA, .* found text before the first"),
        ([b"@a\nACGT\n+\nIIII\n"], r"0\.fa: a genome must be FASTA"),
        ([b">a\nA\n", b"\n"], r"1\.fa must have content, found an empty file"),
        ([gzip.compress(TINY)[:-9]], r"0\.fa is a truncated or damaged gzip file"),
        ([gzip.compress(TINY) + b"more"], r"0\.fa is a truncated or damaged gzip file"),
        ([bgzip_block(TINY)], r"0\.fa is a truncated bgzip file: it must end with an empty block"),
    ],
)
@pytest.mark.parametrize("block_size", [3, 1 << 20])
def test_bad_files_are_refused_with_file_and_record_and_leave_nothing(
    make, monkeypatch, tmp_path, contents, message, block_size
):
    monkeypatch.setattr(fasta, "_BLOCK_SIZE", block_size)
    with pytest.raises(ValueError, match=message):
        make(*contents)
    assert stores(tmp_path) == []


def test_files_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"x\.fa must be a FASTA file, found no such file"):
        open_genome(tmp_path / "x.fa", cache_dir=tmp_path)
    with pytest.raises(ValueError, match="must be a FASTA file, found a folder"):
        open_genome([tmp_path], cache_dir=tmp_path)
    with pytest.raises(ValueError, match="at least one FASTA file, got none"):
        open_genome([], cache_dir=tmp_path)


def test_a_file_that_changes_while_it_is_read_is_refused(make, monkeypatch, tmp_path):
    write_store = genome.write_store

    def write_and_change(sources, folder, *, report):
        write_store(sources, folder, report=report)
        with sources[0].open("ab") as stream:
            stream.write(b"ACGT\n")

    monkeypatch.setattr(genome, "write_store", write_and_change)
    with pytest.raises(ValueError, match=r"must not change while they are read, .*0\.fa did"):
        make(TINY)
    assert stores(tmp_path) == []


@pytest.mark.parametrize(("head", "factor"), [(b">a\nACGT\n", 1), (b"\x1f\x8b", 5)])
def test_a_disk_too_small_is_refused_before_anything_is_read(tmp_path, head, factor):
    (tmp_path / "x.fa").write_bytes(head)
    size = shutil.disk_usage(tmp_path).free // factor + 10**12
    os.truncate(tmp_path / "x.fa", size)  # a sparse file: it takes no room itself
    needed = re.escape(f"about {size * factor / 1e9:.1f} GB, found only ")
    with pytest.raises(ValueError, match=needed + r"[\d.]+ GB free; .* set DNABERT_HF_CACHE"):
        open_genome(tmp_path / "x.fa", cache_dir=tmp_path / "cache")
    assert stores(tmp_path) == []


def test_a_disk_that_fills_up_meanwhile_is_reported(make, tmp_path):
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    content = b">x\n" + b"ACGT" * 500_000  # 2 MB
    (tmp_path / "0.fa").write_bytes(content)
    (tmp_path / "0.fa.gz").write_bytes(gzip.compress(content))  # some kilobytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        with pytest.raises(
            ValueError, match=r"about 2\.0 MB, found 'File too large' with [\d.]+ GB"
        ):
            open_genome(tmp_path / "0.fa", cache_dir=tmp_path / "cache")
        with pytest.raises(ValueError, match=r"about 1\.0 MB, found 'File too large' with"):
            open_genome(tmp_path / "0.fa.gz", cache_dir=tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert stores(tmp_path) == []


def test_other_errors_of_the_disk_come_through(make, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(genome, "write_store", fail)
    with pytest.raises(OSError, match="Input/output error"):
        make(TINY)


def test_a_store_that_cannot_be_moved_to_its_place_is_no_success(make, monkeypatch, tmp_path):
    write_store = genome.write_store

    def write_and_lose(sources, folder, *, report):
        write_store(sources, folder, report=report)
        shutil.rmtree(folder)

    monkeypatch.setattr(genome, "write_store", write_and_lose)
    with pytest.raises(FileNotFoundError, match="building"):
        make(TINY)


def test_a_cache_that_cannot_be_written_to_is_refused(tmp_path):
    (tmp_path / "x.fa").write_bytes(TINY)
    (tmp_path / "cache").write_bytes(b"")
    with pytest.raises(ValueError, match=r"found Not a directory at .*cache.* DNABERT_HF_CACHE"):
        open_genome(tmp_path / "x.fa", cache_dir=tmp_path / "cache")


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (("chr1", -1, 2), "interval of chr1 must have .* <= 11, .* got -1 to 2"),
        (("chr1", 0, 12), "interval of chr1 must have .* <= 11, .* got 0 to 12"),
        (("chr1", 5, 4), "interval of chr1 must have .* got 5 to 4"),
        (("Chr1", 0, 1), "one of the 2 of the genome, found 'Chr1'; did you mean 'chr1'"),
        (("1", 0, 0), r"found '1'; did you mean 'chr1'\?"),
        (("9", 0, 0), "found '9'; did you mean 'chr1' or 'chr2'?"),
        (("chr1", 0, 1, "."), r"strand must be '\+' or '-', got '\.'"),
    ],
)
def test_an_interval_outside_the_genome_is_refused(make, interval, message):
    with pytest.raises(ValueError, match=message):
        make(TINY).sequence(*interval)


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("codes.bin", lambda content: content[:-1], "found 14 bases instead of 15; delete this"),
        ("codes.bin", lambda content: b"", "found cannot mmap an empty file; delete this"),
        ("runs.npy", lambda content: content[:-1], "must be as it was written, .* delete this"),
        ("contigs.json", lambda content: content[:-1], "must be as it was written, .* delete this"),
        ("contigs.json", lambda content: b"[]", "must be as it was written, .* delete this"),
        ("contigs.json", lambda content: b"{}", "found no 'contigs'; delete this"),
        (
            "contigs.json",
            lambda content: content.replace(b'"fingerprint"', b'"print"'),
            "found no 'fingerprint'; delete this",
        ),
        (
            "runs.npy",
            lambda content: content[:128] + bytes(len(content) - 128),
            "found other contigs or runs of bases; delete this",
        ),
    ],
)
def test_an_incomplete_store_is_not_opened(make, name, damage, message):
    folder = make(TINY).folder
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(ValueError, match=f"{folder.name} .*{message}"):
        Genome(folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("codes.bin", b"\x03\x03\x03\x03", b"\x03\x03\x02\x03"),
        ("runs.npy", b"\x0b", b"\x0a"),
        ("contigs.json", b'"chr1", 11', b'"chrX", 11'),
    ],
)
def test_a_change_of_one_byte_is_found_when_the_store_is_opened(make, name, old, new):
    opened = make(TINY.replace(b"nNacu", b"ttacu").replace(b"nN", b"tt").replace(b"RY", b"GG"))
    opened.verify()
    path = opened.folder / name
    assert path.read_bytes().count(old) == 1
    path.write_bytes(path.read_bytes().replace(old, new))
    message = r"found (checksum \w+ instead of \w+|other contigs or runs of bases); delete this"
    with pytest.raises(ValueError, match=message):
        Genome(opened.folder)
