import csv
import gzip
import re
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from dnabert_hf import DNABertForMaskedLM, DNABertForSequenceClassification
from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.inference.predict import predict
from dnabert_hf.inference.variants import score_variants as variant_effects
from dnabert_hf.inference.variants.score_variants import score_variants

HEADER = "##fileformat=VCFv4.2\n##contig=<ID=chr1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
DNA = "ACGTTGCAACGTAGCTAGGATCTTTGACGTCATTTTACGGATACCA"
WINDOW = 15


@pytest.fixture
def fasta(tmp_path, monkeypatch):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{DNA}\n")
    return path


@pytest.fixture
def genome(fasta):
    return open_genome(fasta)


@pytest.fixture
def vcf(tmp_path):
    """Position 20 (1-based) is the A of GGATC."""
    lines = [
        "1\t20\trs1\tA\tC,G\t50\tPASS\tAC=1;DB",
        "1\t20\t.\tAT\tA\t.\t.\t.",
        "1\t21\t.\tT\t*\t.\t.\t.\tGT\t0/1",
        "1\t22\t.\tG\tT\t.\t.\tX=1",
    ]
    path = tmp_path / "in.vcf"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def promoters(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    folder = tmp_path / "promoters"
    DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def masked(tiny_config, tokenizer, tmp_path):
    folder = tmp_path / "masked"
    DNABertForMaskedLM(tiny_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_scores_are_those_of_the_two_windows(promoters, vcf, genome, tmp_path):
    out = tmp_path / "out.tsv"
    done = score_variants(promoters, vcf, genome, output=out, window=WINDOW, dtype="float32")
    ref, alt = DNA[12:27], DNA[12:19] + "C" + DNA[20:27]
    deletion = DNA[12:20] + DNA[21:28]
    before, after, without = (
        p.probabilities["yes"] for p in predict(promoters, [ref, alt, deletion], dtype="float32")
    )
    rows = read_table(out)
    assert [(r["position_1based"], r["ref"], r["alt"], r["status"]) for r in rows] == [
        ("20", "A", "C", "scored"),
        ("20", "A", "G", "scored"),
        ("20", "AT", "A", "scored"),
        ("21", "T", "*", "allele * (deleted by another record)"),
        ("22", "G", "T", "REF is not the base of the genome"),
    ]
    first = rows[0]
    assert float(first["prob_ref_yes"]) == pytest.approx(before, rel=1e-5)
    assert float(first["prob_alt_yes"]) == pytest.approx(after, rel=1e-5)
    assert float(first["diff_yes"]) == pytest.approx(
        (after - before) * max(before, after), rel=1e-4
    )
    ratio = np.log2(before / (1 - before)) - np.log2(after / (1 - after))
    assert float(first["log_odds_ratio_yes"]) == pytest.approx(ratio, rel=1e-4)
    assert float(rows[2]["prob_alt_yes"]) == pytest.approx(without, rel=1e-5)
    assert rows[4]["prob_ref_yes"] == ""
    assert (done.n_records, done.n_scored, sum(done.skipped.values())) == (4, 3, 2)


def test_a_vcf_keeps_its_lines_and_gets_info(promoters, vcf, genome, tmp_path):
    out = tmp_path / "out.vcf"
    score_variants(promoters, vcf, genome, output=out, window=WINDOW)
    header = [line for line in out.read_text().splitlines() if line.startswith("#")]
    assert header[:2] == HEADER.splitlines()[:2]
    assert header[-1] == HEADER.splitlines()[-1]
    assert any(line.startswith("##INFO=<ID=DNABERT_DIFF,Number=A,Type=Float") for line in header)
    lines = [line.split("\t") for line in out.read_text().splitlines() if line[0] != "#"]
    old = [line.split("\t") for line in vcf.read_text().splitlines() if line[0] != "#"]
    assert [line[:7] + line[8:] for line in lines] == [line[:7] + line[8:] for line in old]
    info = dict(item.partition("=")[::2] for item in lines[0][7].split(";"))
    assert (info["AC"], info["DB"]) == ("1", "")
    assert len(info["DNABERT_LOG_ODDS_RATIO"].split(",")) == 2
    assert lines[2][7] == "DNABERT_SKIPPED=allele_*_(deleted_by_another_record)"
    assert lines[3][7] == "X=1;DNABERT_SKIPPED=REF_is_not_the_base_of_the_genome"
    # Scored again, the old scores are replaced, not doubled.
    again = tmp_path / "again.vcf"
    score_variants(promoters, out, genome, output=again, window=WINDOW)
    assert again.read_text() == out.read_text()


def test_bgzip_with_index_is_read_by_pysam(promoters, vcf, genome, tmp_path):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    out = tmp_path / "out.vcf.gz"
    score_variants(promoters, vcf, genome, output=out, window=WINDOW)
    with pysam.VariantFile(str(out)) as file:
        records = list(file.fetch("1", 19, 20))
        assert [record.alts for record in records] == [("C", "G"), ("A",)]
        assert len(records[0].info["DNABERT_PROB_ALT"]) == 2
    with pysam.VariantFile(str(out)) as file:
        assert len(list(file)) == 4


def test_a_file_that_is_not_sorted_has_no_index(promoters, vcf, genome, tmp_path, caplog):
    pytest.importorskip("pysam", reason="pysam is not installed")
    lines = vcf.read_text().splitlines()
    vcf.write_text("\n".join([*lines[:3], *reversed(lines[3:])]) + "\n")
    out = tmp_path / "out.vcf.gz"
    score_variants(promoters, vcf, genome, output=out, window=WINDOW)
    assert "has no index, which needs records sorted" in caplog.text
    assert out.exists() and not (tmp_path / "out.vcf.gz.tbi").exists()


def test_a_position_beyond_what_tabix_reaches_gets_the_other_index(
    promoters, vcf, genome, tmp_path, capfd
):
    """Chromosomes of wheat have more than 512 Mb."""
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    vcf.write_text(vcf.read_text() + "1\t600000000\tfar\tA\tC\t.\t.\t.\n")
    out = tmp_path / "out.vcf.gz"
    score_variants(promoters, vcf, genome, output=out, window=WINDOW)
    assert (tmp_path / "out.vcf.gz.csi").exists() and not (tmp_path / "out.vcf.gz.tbi").exists()
    with pysam.VariantFile(str(out)) as file:
        assert [record.id for record in file.fetch("1", 599_999_999, 600_000_000)] == ["far"]
    assert "[E::" not in capfd.readouterr().err


def test_a_class_with_quotes_leaves_the_header_whole(folder, classifier, vcf, genome, tmp_path):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    classifier.config.id2label = {0: "no", 1: 'the "5\\3" end', 2: "other"}
    classifier.save_pretrained(folder)
    out = tmp_path / "out.vcf.gz"
    label = 'the "5\\3" end'
    score_variants(folder, vcf, genome, output=out, window=WINDOW, label=label)
    with pysam.VariantFile(str(out)) as file:
        (line,) = [each for each in str(file.header).splitlines() if "DNABERT_PROB_REF" in each]
        assert line.endswith('Description="Probability of the \\"5\\\\3\\" end with REF">')
        assert len(list(file)) == 4


def test_names_that_differ_in_case_alone_are_refused_for_a_vcf(promoters, vcf, genome, tmp_path):
    other = shutil.copytree(promoters, tmp_path / "Promoters")
    options = {"window": WINDOW, "also": [other]}
    with pytest.raises(ValueError, match="differ in more than the case of letters for a VCF"):
        score_variants(promoters, vcf, genome, output=tmp_path / "out.vcf", **options)
    score_variants(promoters, vcf, genome, output=tmp_path / "out.tsv", **options)


def test_breakends_stay_as_the_file_writes_them(promoters, fasta, tmp_path, caplog):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.tsv"
    alts = ["A[chr2:5[", "<DEL>", "*", ".", "R", "c"]
    vcf.write_text(HEADER + "".join(f"1\t20\t.\tA\t{alt}\t.\t.\t.\n" for alt in alts))
    assert run_variants(promoters, vcf, fasta, out).exit_code == 0
    assert [row["alt"] for row in read_table(out)] == [*alts[:-1], "C"]
    assert (
        "not scored: symbolic alternative allele (2), allele * (deleted by another record) (1), "
        "no alternative allele (1), letters other than A, C, G, T in the alternative allele (1)"
    ) in caplog.text


def test_alleles_without_a_likelihood_ratio_are_counted(masked, vcf, genome, tmp_path, caplog):
    vcf.write_text(vcf.read_text() + "1\t2\t.\tC\tG\t.\t.\t.\n")
    out = tmp_path / "out.tsv"
    score_variants(masked, vcf, genome, output=out, window=WINDOW)
    without = [row for row in read_table(out) if row["status"] == "scored"]
    without = [row["ref"] for row in without if not row["log_likelihood_ratio"]]
    assert without == ["AT", "C"]  # a deletion, and a base 1 from the end of the contig
    assert "2 alleles have no log-likelihood ratio, which is of single bases with k" in caplog.text


def test_a_pretrained_model_scores_without_labels(masked, tokenizer, vcf, genome, tmp_path):
    out = tmp_path / "out.parquet"
    score_variants(masked, vcf, genome, output=out, window=WINDOW, dtype="float32")
    table = pq.read_table(out).to_pylist()
    # By hand: hide the base, let each of the k k-mers over it vote.
    model = DNABertForMaskedLM.from_pretrained(masked).eval()
    with_n = DNA[12:19] + "N" + DNA[20:27]
    ids = tokenizer(with_n, return_tensors="pt")["input_ids"]
    is_masked = ids == tokenizer.unk_token_id
    with torch.no_grad():
        logits = model(ids.masked_fill(is_masked, tokenizer.mask_token_id)).logits[is_masked]
    logs = {}
    for base in "ACG":
        sequence = with_n.replace("N", base)
        kmers = tokenizer.convert_tokens_to_ids([sequence[i : i + 3] for i in (5, 6, 7)])
        logs[base] = sum(logits[row, kmer].item() for row, kmer in enumerate(kmers)) / 3
    assert table[0]["log_likelihood_ratio"] == pytest.approx(logs["C"] - logs["A"], abs=1e-4)
    assert table[1]["log_likelihood_ratio"] == pytest.approx(logs["G"] - logs["A"], abs=1e-4)
    assert table[2]["log_likelihood_ratio"] is None  # a deletion
    assert 0 < table[2]["embedding_distance"] < 2
    assert table[3]["embedding_distance"] is None
    with_both = tmp_path / "both.parquet"
    score_variants(masked, vcf, genome, output=with_both, window=WINDOW, both_strands=True)
    assert pq.read_table(with_both).to_pylist()[0] != table[0]


def test_a_stopped_run_goes_on_to_the_same_bytes(promoters, vcf, genome, tmp_path, monkeypatch):
    monkeypatch.setattr(variant_effects, "_CHUNK_RECORDS", 1)
    whole, stopped = tmp_path / "whole.vcf", tmp_path / "stopped.vcf"
    score_variants(promoters, vcf, genome, output=whole, window=WINDOW)
    score = variant_effects.ClassifierScorer.score
    calls = []

    def stop_at_the_second(self, windows):
        calls.append(len(windows))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return score(self, windows)

    with monkeypatch.context() as patch:
        patch.setattr(variant_effects.ClassifierScorer, "score", stop_at_the_second)
        with pytest.raises(KeyboardInterrupt, match="stopped after 1 record;"):
            score_variants(promoters, vcf, genome, output=stopped, window=WINDOW)
    done = score_variants(promoters, vcf, genome, output=stopped, window=WINDOW)
    assert stopped.read_bytes() == whole.read_bytes()
    assert (done.n_records, done.n_scored) == (4, 3)  # those of the stopped run among them


def test_options_that_cannot_be_used_are_refused(promoters, masked, vcf, genome, tmp_path):
    out = tmp_path / "out.tsv"
    for model, options, message in [
        (promoters, {"label": "maybe"}, "the class must be one of no, yes, got 'maybe'"),
        (promoters, {"window": 2}, "k = 3 bases or more, got 2"),
        (promoters, {"window": 60}, "got 60 bases, where its longest contig has 46"),
        (masked, {"label": "yes"}, "of a classifier, found a masked language model"),
        (masked, {"window": 6}, "must have 7 to 512 bases, got 6"),
        (promoters, {"output": tmp_path / "out.bcf"}, "must be named"),
    ]:
        with pytest.raises(ValueError, match=message):
            score_variants(model, vcf, genome, **({"output": out, "window": WINDOW} | options))
    assert not out.exists()


def test_three_classes_need_a_name(checkpoint, folder, vcf, genome, tmp_path):
    with pytest.raises(ValueError, match=r"3 classes needs the one to score .* none, donor"):
        score_variants(folder, vcf, genome, output=tmp_path / "o.tsv", window=WINDOW)
    score_variants(folder, vcf, genome, output=tmp_path / "o.tsv", window=WINDOW, label="donor")


def test_command_line(promoters, vcf, fasta, tmp_path):
    arguments = ["variants", str(promoters), str(vcf), "--genome", str(fasta), "--window", "15"]
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "o.tsv")])
    assert result.exit_code == 0, result.stderr
    assert (
        "4 records: 3 alleles scored by the probability of yes in windows of 15 bases, 2 not"
        in result.stderr
    )
    result = CliRunner().invoke(app, [*arguments, "-o", str(tmp_path / "o.tsv")])
    assert result.exit_code == 2
    assert "must not exist yet" in result.stderr


def test_the_strongest_of_shifted_windows_is_written(promoters, vcf, genome, tmp_path):
    out = tmp_path / "out.tsv"
    score_variants(promoters, vcf, genome, output=out, window=16, shifts=2, dtype="float32")
    expected = []
    for shift in (0, -2, 2, -4, 4):
        start = 19 - 7 + shift
        windows = [DNA[start : start + 16], DNA[start:19] + "C" + DNA[20 : start + 16]]
        before, after = (
            p.probabilities["yes"] for p in predict(promoters, windows, dtype="float32")
        )
        expected.append(((after - before) * max(before, after), shift, before))
    difference, shift, before = max(expected, key=lambda each: abs(each[0]))
    row = read_table(out)[0]
    assert float(row["diff_yes"]) == pytest.approx(difference, rel=1e-4)
    assert float(row["prob_ref_yes"]) == pytest.approx(before, rel=1e-4)
    assert float(row["shift"]) == shift
    with pytest.raises(ValueError, match="must be 0 to 4, a quarter of a window of 16 bases, got"):
        score_variants(promoters, vcf, genome, output=tmp_path / "o.tsv", window=16, shifts=5)


def test_several_models_have_columns_of_their_own(promoters, masked, vcf, genome, tmp_path):
    out, alone = tmp_path / "both.vcf", tmp_path / "alone.tsv"
    options = {"window": WINDOW, "dtype": "float32"}
    score_variants(promoters, vcf, genome, output=out, also=[masked], label="no", **options)
    text = out.read_text()
    assert "##INFO=<ID=DNABERT_LOG_LIKELIHOOD_RATIO_MASKED,Number=A,Type=Float" in text
    line = next(line for line in text.splitlines() if line.startswith("1\t20\trs1"))
    info = dict(item.partition("=")[::2] for item in line.split("\t")[7].split(";"))
    score_variants(masked, vcf, genome, output=alone, **options)
    first = read_table(alone)[0]
    for name in ("log_likelihood_ratio", "embedding_distance"):
        both = float(info[f"DNABERT_{name.upper()}_MASKED"].split(",")[0])
        assert both == pytest.approx(float(first[name]), rel=1e-4)
    assert "DNABERT_PROB_REF_PROMOTERS" in info
    with pytest.raises(ValueError, match="different names, found promoters twice"):
        score_variants(
            promoters, vcf, genome, output=tmp_path / "o.tsv", also=[promoters], **options
        )


def test_bcf_gives_what_its_vcf_gives(promoters, vcf, genome, tmp_path, capfd):
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    lines = [line for line in vcf.read_text().splitlines() if "AC=1" not in line]
    lines = [line.split("\tGT")[0].replace("X=1", ".") for line in lines]
    vcf.write_text("\n".join(lines).replace("##contig=<ID=chr1>", "##contig=<ID=1>") + "\n")
    bcf = tmp_path / "in.bcf"
    with (
        pysam.VariantFile(str(vcf)) as source,
        pysam.VariantFile(str(bcf), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    first, second = tmp_path / "vcf.tsv", tmp_path / "bcf.tsv"
    score_variants(promoters, vcf, genome, output=first, window=WINDOW)
    score_variants(promoters, bcf, genome, output=second, window=WINDOW)
    assert "index" not in capfd.readouterr().err  # htslib's, which no user asked for
    assert second.read_bytes() == first.read_bytes()
    assert len(read_table(second)) == 3
    bcf.write_bytes(bcf.read_bytes()[:-40])
    with pytest.raises(ValueError, match="is a truncated bgzip file: it must end"):
        score_variants(promoters, bcf, genome, output=tmp_path / "o.tsv", window=WINDOW)


def run_variants(model, vcf, fasta, out, *options):
    arguments = ["variants", model, vcf, "--genome", fasta, "--window", WINDOW, "-o", out, *options]
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"chr1\t20\t.\tA\tC\t.\t.\t.\n", "must be a VCF: begin with ##fileformat=VCF"),
        (HEADER.encode() + b"chr1\t20\t.\tA\n", "line 4: a line of a VCF must have 8"),
        (HEADER.encode() + b"chr1\t-5\t.\tA\tC\t.\t.\t.\n", "line 4: POS must be a whole number"),
        (b"", "must be a VCF|empty file"),
        (gzip.compress((HEADER + "chr1\t20\t.\tA\tC\t.\t.\t.\n" * 99).encode())[:-9], "damage"),
    ],
    ids=["no header", "short line", "position", "empty", "cut gzip"],
)
def test_files_that_are_no_vcf_end_in_one_line(promoters, fasta, tmp_path, content, message):
    vcf, out = tmp_path / "bad.vcf", tmp_path / "out.vcf"
    vcf.write_bytes(content)
    result = run_variants(promoters, vcf, fasta, out)
    assert result.exit_code == 2
    assert re.search(message, result.stderr)
    assert result.stderr.strip().splitlines()[-1].startswith("dnabert variants: error:")
    assert not list(tmp_path.glob("out*"))


def test_every_allele_is_in_the_result_scored_or_not(promoters, fasta, tmp_path, caplog):
    lines = ["1\t20\tA\tC", "chrUn\t5\tA\tC", "1\t22\tG\tT", "1\t47\tA\tC", "1\t2\tC\tG"]
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.tsv"
    cells = [line.split("\t") for line in lines]
    body = [f"{c}\t{p}\t.\t{ref}\t{alt}\t.\t.\t.\n" for c, p, ref, alt in cells]
    vcf.write_text(HEADER + "".join(body))
    result = run_variants(promoters, vcf, fasta, out)
    assert result.exit_code == 0, result.stderr
    assert (
        "5 records: 2 alleles scored by the probability of yes in windows of 15 bases, 3 not"
        in result.stderr
    )
    rows = read_table(out)
    assert [(row["contig"], row["position_1based"]) for row in rows] == [
        tuple(c[:2]) for c in cells
    ]
    assert [row["status"] for row in rows] == [
        "scored",
        "contig not in the genome",
        "REF is not the base of the genome",
        "beyond the end of the contig",
        "scored",
    ]
    assert "taken as the same: 1 = chr1" in caplog.text
    assert "1:22 (1-based): REF must be the genome's C, found G; not scored" in caplog.text
    reasons = "contig not in the genome (1), REF is not the base of the genome (1), beyond the end"
    assert reasons in caplog.text


@pytest.mark.parametrize(
    ("lines", "reasons"),
    [
        (["1\t22\tG\tT", "1\t22\tG\tA,T"], "3: REF is not the base of the genome (3);"),
        (["1\t470\tA\tC"] * 2, "2: beyond the end of the contig (2);"),
        (["1\t20\tA\t<DEL>", "1\t20\tA\tA"], "2: symbolic alternative allele (1), ALT is the same"),
    ],
)
def test_no_allele_scored_is_an_error_and_no_file(promoters, fasta, tmp_path, lines, reasons):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.tsv"
    cells = [line.split("\t") for line in lines]
    vcf.write_text(HEADER + "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in cells))
    result = run_variants(promoters, vcf, fasta, out)
    assert (result.exit_code, f"scored 0 of {reasons}" in result.stderr) == (2, True), result.stderr
    assert not list(tmp_path.glob("out*"))
    assert run_variants(promoters, vcf, fasta, out, "--force").exit_code == 0
    assert len(read_table(out)) == int(reasons[0])


def test_a_file_without_variants_is_warned_of(promoters, fasta, tmp_path, caplog):
    vcf, out = tmp_path / "in.vcf", tmp_path / "out.tsv"
    vcf.write_text(HEADER)
    result = run_variants(promoters, vcf, fasta, out)
    assert (result.exit_code, read_table(out)) == (0, []), result.stderr
    assert "in.vcf: there are no variants in the file" in caplog.text


def test_places_that_cannot_be_written_to_are_named(promoters, vcf, fasta, tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    out = tmp_path / "out.tsv"
    monkeypatch.setenv("DNABERT_HF_CACHE", str(file / "cache"))  # no index can be built there
    result = run_variants(promoters, vcf, fasta, out)
    assert result.exit_code == 2
    assert "set DNABERT_HF_CACHE to another folder" in result.stderr
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    result = run_variants(promoters, vcf, fasta, tmp_path / "no" / "out.tsv")
    assert result.exit_code == 2
    assert "must lie in a folder that exists" in result.stderr
    # A folder that even root cannot write to.
    result = run_variants(promoters, vcf, fasta, "/proc/out.tsv")
    assert result.exit_code == 2
    assert re.search("error: .*/proc", result.stderr)
    assert not list(tmp_path.glob("out*"))


PADDED = ["1\t20\tA\tC", "1\t19\tGA\tGC", "1\t18\tGGATC\tGGCTC", "1\t20\tATCTT\tCTCTT"]


@pytest.mark.parametrize("model", ["promoters", "masked"])
def test_one_change_has_one_score_however_it_is_written(model, request, genome, tmp_path):
    """DNA[16:24] is GGGATCTT: A>C at 20 with bases around it, and as a part of a joint call."""
    vcf, out = tmp_path / "padded.vcf", tmp_path / "out.tsv"
    lines = [line.split("\t") for line in [*PADDED, "1\t20\tATC\tA,CTC"]]
    vcf.write_text(HEADER + "".join(f"{c}\t{p}\t.\t{r}\t{a}\t.\t.\t.\n" for c, p, r, a in lines))
    score_variants(request.getfixturevalue(model), vcf, genome, output=out, window=WINDOW)
    rows = read_table(out)
    scores = [list(row.values())[5:] for row in rows]
    assert len(rows) == 6
    assert all(each == scores[0] for each in (*scores[1:4], scores[5]))
    assert all(scores[0])
    assert scores[4] != scores[0]
    assert [row["ref"] for row in rows] == ["A", "GA", "GGATC", "ATCTT", "ATC", "ATC"]


def test_a_file_of_another_genome_is_refused_before_anything_is_written(promoters, fasta, tmp_path):
    vcf, out = tmp_path / "other.vcf", tmp_path / "out.tsv"
    lines = [f"1\t{i + 1}\t.\t{DNA[i + 3]}\tN\t.\t.\t.\n" for i in range(40)]
    vcf.write_text(HEADER + "".join(lines))
    result = run_variants(promoters, vcf, fasta, out)
    assert result.exit_code == 2
    assert "another REF than the genome's in" in result.stderr
    assert not list(tmp_path.glob("out*"))
    assert run_variants(promoters, vcf, fasta, out, "--force").exit_code == 0
    vcf.write_text(HEADER + "chrUn\t5\t.\tA\tC\t.\t.\t.\n")
    result = run_variants(promoters, vcf, fasta, out, "--overwrite")
    assert result.exit_code == 2
    assert "must lie on contigs of the genome, found chrUn" in result.stderr


def test_a_vcf_comes_by_pipe_and_contigs_have_aliases(promoters, vcf, fasta, tmp_path, caplog):
    vcf.write_text(vcf.read_text().replace("\n1\t", "\nscaffold_7\t"))
    aliases, out = tmp_path / "chromAlias.txt", tmp_path / "out.tsv"
    aliases.write_text("# ucsc\tassembly\tother\nchr1\t\tscaffold_7\n")
    options = [promoters, "-", "--genome", fasta, "--window", WINDOW, "-o", out]
    options = ["variants", *options, "--aliases", aliases]
    result = CliRunner().invoke(app, list(map(str, options)), input=vcf.read_bytes())
    assert result.exit_code == 0, result.output
    assert [row["status"] for row in read_table(out)].count("scored") == 3
    assert "taken as the same: scaffold_7 = chr1" in caplog.text


def test_the_first_block_of_a_bcf_may_need_more_than_its_first_bytes(promoters, genome, tmp_path):
    """A long header is packed with codes of its own, which gives no letter early (htslib's way)."""
    pysam = pytest.importorskip("pysam", reason="pysam is not installed")
    header = pysam.VariantHeader()
    for number in range(400):
        header.add_line(f"##contig=<ID={'chr1' if number == 0 else f'scaffold_{number}'}>")
    bcf, out = tmp_path / "in.bcf", tmp_path / "out.tsv"
    with pysam.VariantFile(str(bcf), "wb", header=header) as target:
        target.write(target.new_record(contig="chr1", start=19, alleles=("A", "C")))
    score_variants(promoters, bcf, genome, output=out, window=WINDOW)
    assert [row["status"] for row in read_table(out)] == ["scored"]
