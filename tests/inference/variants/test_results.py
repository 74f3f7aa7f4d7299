"""Results as other tools read them: pysam, the rules of the VCF specification, a spreadsheet."""

import csv
import re

import pytest

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.inference.variants.score_variants import score_variants

DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"
INFO = re.compile(r'##INFO=<ID=([A-Za-z_][\w.]*),Number=A,Type=(\w+),Description="([^"\\]|\\.)*">')
GTF = 'chr1\tx\texon\t{}\t{}\t.\t+\t.\tgene_id "{}"; transcript_id "t{}"; gene_name "{}";\n'


@pytest.fixture
def inputs(tiny_config, tokenizer, tmp_path):
    """Model, variants, genome and annotation, with names that other formats trip over."""
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    model, fasta, vcf, gtf = (tmp_path / name for name in ("m", "g.fa", "in.vcf", "genes.gtf"))
    DNABertForSequenceClassification(tiny_config).save_pretrained(model)
    tokenizer.save_pretrained(model)
    fasta.write_text(f">chr1\n{DNA}\n>chr2\n{DNA[::-1]}\n")
    gtf.write_text(
        "".join(GTF.format(*x) for x in [(11, 21, "a", 0, "=HLA, DR;%1"), (31, 40, "b", 1, "-x")])
    )
    vcf.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=46>\n##contig=<ID=chr2,length=46>\n"
        '##INFO=<ID=AC,Number=A,Type=Integer,Description="n">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "chr1\t20\t=1+1\tA\tC,G\t.\tPASS\tAC=1,2\n"
        "chr1\t21\t@x\tTC\tT,*\t.\t.\t.\n"
        "chr1\t25\trs3\tTG\tG\t.\t.\t.\n"  # a T of three: 22-C-CT once it is left-aligned
        "chr1\t26\t.\tG\t.\t.\t.\t.\n"
        "chr1\t35\t.\tT\tA\t.\t.\t.\n"
        "chr2\t20\t.\tA\tC\t.\t.\t.\n"
    )
    return model, vcf, open_genome(fasta, cache_dir=tmp_path / "cache"), gtf


def score(inputs, output, **options):
    model, vcf, genome, gtf = inputs
    return score_variants(model, vcf, genome, output=output, window=15, annotation=gtf, **options)


def test_a_vcf_has_what_the_specification_asks_for(inputs, tmp_path, caplog):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    options = {"background": tmp_path / "b.npz", "background_size": 1}
    done = score(inputs, tmp_path / "out.vcf", **options)
    assert done.n_normalized == 1
    assert "1 allele not left-aligned and parsimonious as written" in caplog.text
    types = {}
    for line in (tmp_path / "out.vcf").read_text().splitlines():
        if line.startswith("##INFO=<ID=DNABERT"):
            name, kind, _ = INFO.fullmatch(line).groups()
            types[name] = kind
            continue
        if line.startswith("#"):
            continue
        cells = line.split("\t")
        n_alts = 0 if cells[4] == "." else cells[4].count(",") + 1
        assert len(cells) == 8 and not re.search(r"\s", cells[7])
        for item in cells[7].split(";"):
            name, sign, values = item.partition("=")
            if not name.startswith("DNABERT"):
                continue
            assert sign and not set(values) & {"=", ";", ":", " "} and n_alts
            assert len(values.split(",")) == n_alts
            for value in values.split(","):
                if value != "." and types[name] != "String":
                    {"Float": float, "Integer": int}[types[name]](value)
    assert {types[f"DNABERT_{each}"] for each in ("PROB_REF", "PERCENTILE")} == {"Float"}
    with pysam.VariantFile(str(tmp_path / "out.vcf")) as file:
        records = list(file)
    first, deletion, shifted, bare, second, other = (dict(each.info) for each in records)
    assert first["AC"] == (1, 2) and len(first["DNABERT_PERCENTILE"]) == 2
    assert first["DNABERT_GENE"] == ("%3DHLA%2C%20DR%3B%251",) * 2
    assert (first["DNABERT_REGION"], first["DNABERT_TSS_DISTANCE"]) == (("exon",) * 2, (9, 9))
    assert "DNABERT_NORMALIZED" not in first and "DNABERT_NORMALIZED" not in deletion
    assert deletion["DNABERT_SKIPPED"] == (".", "allele_*_(deleted_by_another_record)")
    assert shifted["DNABERT_NORMALIZED"] == ("chr1-22-CT-C",)
    assert bare == {}
    assert second["DNABERT_GENE"] == ("-x",)
    assert "DNABERT_GENE" not in other and "DNABERT_DIFF" in other  # no genes on chr2


def test_a_table_has_no_formulas(inputs, tmp_path):
    score(inputs, tmp_path / "out.tsv")
    with (tmp_path / "out.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for row in rows:
        for name, value in row.items():
            if value.startswith(("=", "+", "-", "@")):
                assert float(value) < 0, name
    assert [row["id"] for row in rows][:3] == ["%3D1+1", "%3D1+1", "%40x"]
    assert {row["gene"] for row in rows} == {"%3DHLA, DR;%1", "%2Dx", ""}
    assert [row["normalized"] for row in rows] == [
        *("chr1-20-A-C", "chr1-20-A-G", "chr1-21-TC-T", "", "chr1-22-CT-C", "", "chr1-35-T-A"),
        "chr2-20-A-C",
    ]


def test_annotations_of_another_genome_end_in_one_line(inputs, tmp_path):
    inputs[3].write_text(GTF.format(1, 9, "a", 0, "a").replace("chr1", "chr9"))
    with pytest.raises(ValueError, match=r"genes\.gtf must lie on contigs of the genome, found ch"):
        score(inputs, tmp_path / "out.tsv")
    inputs[3].write_text("chr1\tx\tgene\t1\t9\t.\t+\t.\tID=a\n")
    with pytest.raises(ValueError, match="must hold lines of type exon, found none"):
        score(inputs, tmp_path / "out.tsv")
    assert not (tmp_path / "out.tsv").exists()
