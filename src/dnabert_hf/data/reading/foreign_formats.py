"""Names of formats that are not read here, told by the first bytes of a file, and what to do."""

import re

__all__ = ["refuse_foreign_format"]

# First bytes (magic numbers as the formats' specifications give them), name, way out.
_BINARY = (
    (b"BZh", "bzip2", "uncompress it first: bunzip2 -k FILE"),
    (b"\xfd7zXZ\0", "xz", "uncompress it first: unxz -k FILE"),
    (b"\x28\xb5\x2f\xfd", "Zstandard", "uncompress it first: unzstd FILE"),
    (b"\x1f\x9d", "compress (.Z)", "uncompress it first: uncompress FILE"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip", "unpack it first: 7z x FILE"),
    (b"PK\x03\x04", "zip (or a spreadsheet)", "unpack it first (unzip FILE), or save it as text"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of Excel", "save it as text"),
    (b"\x43\x27\x41\x1a", "2bit", "make FASTA of it: twoBitToFa FILE out.fa"),
    (b"\x1a\x41\x27\x43", "2bit", "make FASTA of it: twoBitToFa FILE out.fa"),
    (b"\x26\xfc\x8f\x88", "bigWig", "make text of it: bigWigToBedGraph FILE out.bedGraph"),
    (b"\x88\x8f\xfc\x26", "bigWig", "make text of it: bigWigToBedGraph FILE out.bedGraph"),
    (b"\xeb\xf2\x89\x87", "bigBed", "make text of it: bigBedToBed FILE out.bed"),
    (b"\x87\x89\xf2\xeb", "bigBed", "make text of it: bigBedToBed FILE out.bed"),
    (b"BAM\x01", "BAM", "make FASTA of it: samtools fasta FILE > out.fa"),
    (b"CRAM", "CRAM", "make FASTA of it: samtools fasta FILE > out.fa"),
    (b"\x89HDF", "HDF5", "export it as text or Parquet"),
    (b"%PDF-", "PDF", "get the text file itself"),
    (b"\xff\xfe", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE > out"),
    (b"\xfe\xff", "UTF-16 text", "convert it: iconv -f UTF-16 -t UTF-8 FILE > out"),
)
_TEXT = (
    (re.compile(rb"@(HD\tVN|SQ\tSN|RG\tID|PG\tID):"), "SAM", "samtools fasta FILE > out.fa"),
    (re.compile(rb"LOCUS {2,}\S"), "GenBank", "seqret -sequence FILE -outseq out.fa (EMBOSS)"),
    (re.compile(rb"ID {3}\S+;"), "EMBL", "seqret -sequence FILE -outseq out.fa (EMBOSS)"),
    (re.compile(rb"#NEXUS", re.IGNORECASE), "NEXUS", "export it as FASTA"),
    (re.compile(rb"CLUSTAL"), "a Clustal alignment", "export it as FASTA without gaps"),
    (re.compile(rb"<(!doctype html|html)", re.IGNORECASE), "a web page", "download the file anew"),
    (re.compile(rb"version https://git-lfs"), "a Git LFS pointer", "fetch it: git lfs pull"),
)


def refuse_foreign_format(head: bytes, name: str) -> None:
    """Refuse a file of a format that is not read here, by name.

    Args:
        head: First bytes of the file, uncompressed where it is gzip.
        name: Name of the file, for the error.

    Raises:
        ValueError: If the bytes are those of such a format; the message says how to convert it.

    Example:
        >>> refuse_foreign_format(b"%PDF-1.7", "x.fa")
        Traceback (most recent call last):
        ValueError: x.fa must be text, plain or gzip, found PDF; get the text file itself
    """
    for magic, found, remedy in _BINARY:
        if head.startswith(magic):
            _refuse(name, found, remedy)
    # UTF-16 without a byte order mark: every other byte of ASCII letters is 0.
    if len(head) > 3 and (head[:4:2] == b"\0\0") != (head[1:4:2] == b"\0\0"):
        _refuse(name, "UTF-16 text", "convert it: iconv -f UTF-16LE -t UTF-8 FILE > out")
    text = head.lstrip()
    for pattern, found, remedy in _TEXT:
        if pattern.match(text):
            _refuse(name, found, remedy)
    if b"\r" in head[:-1] and b"\n" not in head and not head.startswith(b"PAR1"):
        _refuse(
            name,
            "line ends of the old Macintosh (carriage returns alone)",
            "convert it: tr '\\r' '\\n' < FILE > out",
        )


def _refuse(name: str, found: str, remedy: str) -> None:
    raise ValueError(f"{name} must be text, plain or gzip, found {found}; {remedy}")
