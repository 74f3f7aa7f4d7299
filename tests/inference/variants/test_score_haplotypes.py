import csv

import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM, DNABertForSequenceClassification
from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.variants.haplotypes import score_haplotypes

DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCAGTACCATTGCAAGCTT"
HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tme\n"
# 0-based: A>C at 19 and TC>T at 20 on copy 2, an overlapping change of the C on copy 2 as well.
LINES = ["20\t.\tA\tC\t.\t.\t.\tGT\t0|1", "21\t.\tTC\tT\t.\t.\t.\tGT\t1|1"]
LINES += ["25\t.\tT\tG\t.\t.\t.\tGT\t1|0"]


@pytest.fixture
def inputs(tiny_config, tokenizer, tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    for name, kind in (("c", DNABertForSequenceClassification), ("m", DNABertForMaskedLM)):
        kind(tiny_config).save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
    (tmp_path / "g.fa").write_text(f">chr1\n{DNA}\n")
    (tmp_path / "in.vcf").write_text(HEADER + "".join(f"chr1\t{line}\n" for line in LINES))
    return tmp_path


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_joint_effects_are_those_of_the_sequences_edited_by_hand(inputs):
    model, out = inputs / "c", inputs / "out.tsv"
    done = score_haplotypes(
        *(model, inputs / "in.vcf", open_genome(inputs / "g.fa")),
        output=out,
        sample="me",
        window=20,
        dtype="float32",
    )
    rows = read_table(out)
    assert [(row["haplotype"], row["variants"], row["status"]) for row in rows] == [
        ("1", "chr1-21-TC-T,chr1-25-T-G", "scored"),
        ("2", "chr1-20-A-C,chr1-21-TC-T", "scored"),
    ]
    assert (done.n_haplotypes, done.n_scored, done.skipped) == (2, 2, {})
    first = (19 + 22 - 20) // 2  # copy 2: the window around bases 19 to 21
    window = [DNA[first : first + 20]]
    window += [(DNA[first:19] + edited)[:20] for edited in ("CT" + DNA[22:], "C" + DNA[20:])]
    window += [(DNA[first:19] + "AT" + DNA[22:])[:20]]
    before, both, *single = (
        p.probabilities["yes"] for p in predict(model, window, dtype="float32")
    )
    row = {name: float(value) for name, value in rows[1].items() if name.endswith("yes")}
    assert row["prob_ref_yes"] == pytest.approx(before, rel=1e-5)
    assert row["prob_alt_yes"] == pytest.approx(both, rel=1e-5)
    effects = [(after - before) * max(before, after) for after in (both, *single)]
    assert row["diff_yes"] == pytest.approx(effects[0], rel=1e-4, abs=1e-7)
    assert row["sum_diff_yes"] == pytest.approx(sum(effects[1:]), rel=1e-4, abs=1e-7)
    assert {"log_odds_ratio_yes", "sum_log_odds_ratio_yes"} <= row.keys()


def test_command_line_tells_what_overlaps_and_what_is_open(inputs, caplog):
    lines = [*LINES[:2], "22\t.\tC\tA\t.\t.\t.\tGT\t0|1", "24\t.\tT\tA\t.\t.\t.\tGT\t0/1"]
    (inputs / "in.vcf").write_text(HEADER + "".join(f"chr1\t{line}\n" for line in lines))
    typed = ["variants", str(inputs / "m"), str(inputs / "in.vcf"), "--genome"]
    typed += [str(inputs / "g.fa"), "--window", "20", "--haplotypes"]
    out = inputs / "out.tsv"
    result = CliRunner().invoke(app, [*typed, "me", "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    (row,) = read_table(out)
    assert (row["status"], row["embedding_distance"]) == ("alleles overlap", "")
    assert "1 haplotype of two or more variants within 10 bases: 0 scored" in result.stderr
    assert "on no haplotype: heterozygous genotypes without phase (1)" in caplog.text
    assert "not scored: alleles overlap (1)" in caplog.text
    for more, message in [
        ([*typed, "me", "--shifts", "2"], "--haplotypes must go without --shifts"),
        ([*typed, "you"], "the sample must be one of"),
        ([*typed[:-1], "--background-size", "9"], "--background-size must go with --background"),
    ]:
        result = CliRunner().invoke(app, [*more, "-o", str(inputs / "other.tsv")])
        assert result.exit_code == 2
        assert message in " ".join(result.stderr.split())
    assert not (inputs / "other.tsv").exists()
