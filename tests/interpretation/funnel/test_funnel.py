import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from dnabert_hf import DNABertForSequenceClassification
from dnabert_hf.cli.main import app
from dnabert_hf.data.genome.genome import open_genome
from dnabert_hf.data.variants.alleles import Allele
from dnabert_hf.data.variants.databases import Finding, KnownVariants, find_build
from dnabert_hf.interpretation.attribution.attention import attention_scores
from dnabert_hf.interpretation.funnel import funnel as module
from dnabert_hf.interpretation.funnel.funnel import variant_funnel
from dnabert_hf.interpretation.funnel.high_attention import high_attention_regions
from dnabert_hf.interpretation.funnel.page import fill_funnel_page
from dnabert_hf.interpretation.pages.page import Page

HEADER = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
WINDOW = 41
GWAS = "PUBMEDID\tDisease/Trait\tCHR_ID\tCHR_POS\tSNPS\tP-VALUE\n"
GRASP = "NHLBIkey\tSNPid(dbSNP134)\tchr(hg19)\tpos(hg19)\tPMID\tPvalue\tPhenotype\n"


@pytest.fixture
def dna():
    return "".join(np.random.default_rng(1).choice(list("ACGT"), 300))


@pytest.fixture
def fasta(tmp_path, monkeypatch, dna):
    monkeypatch.setenv("DNABERT_HF_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "g.fa"
    path.write_text(f">chr1\n{dna}\n")
    return path


@pytest.fixture
def vcf(tmp_path, dna):
    """A change at every third base, one REF that is wrong, and one symbolic allele."""
    lines = []
    for start in range(30, 260, 3):
        alt = "ACGT".replace(dna[start], "")[:2]
        lines.append(f"1\t{start + 1}\trs{start}\t{dna[start]}\t{alt[0]},{alt[1]}\t.\t.\t.")
    lines.append(f"1\t100\t.\t{'ACGT'.replace(dna[99], '')[0]}\tN\t.\t.\t.")
    lines.append(f"1\t101\t.\t{dna[100]}\t<DEL>\t.\t.\t.")
    path = tmp_path / "in.vcf"
    path.write_text(HEADER + "\n".join(lines) + "\n")
    return path


@pytest.fixture
def model(tiny_config, tokenizer, tmp_path):
    tiny_config.id2label, tiny_config.label2id = {0: "no", 1: "yes"}, {"no": 0, "yes": 1}
    folder = tmp_path / "model"
    DNABertForSequenceClassification(tiny_config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def read_table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def write_catalogs(folder, row):
    """Make files in which one variant is known by its allele, another by its number alone."""
    position, ref, alt = row["position_1based"], row["ref"], row["alt"]
    clinvar, gwas, grasp = folder / "clinvar.vcf", folder / "gwas.tsv", folder / "grasp.txt"
    clinvar.write_text(
        "##fileformat=VCFv4.1\n##reference=GRCh37\n"
        '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="x">\n'
        + HEADER.split("\n")[1]
        + f"\n1\t{position}\t4711\t{ref}\t{alt}\t.\t.\t"
        + "CLNDN=Some_disease|Another,_type_2;CLNSIG=Pathogenic\n"
    )
    gwas.write_text(GWAS + f"123\tHeight\t2\t5\t{row['id']}; rs5\t9E-48\n")
    # GRASP's file is Latin-1, with numbers for rs numbers.
    text = GRASP + f"1\t999999\t1\t{position}\t456\t1e-9\tMénière's disease\n"
    grasp.write_bytes(text.encode("latin-1"))
    return {"clinvar": clinvar, "gwas": gwas, "grasp": grasp}


def test_the_funnel_keeps_the_strongest_where_the_model_looks(
    browser, model, vcf, fasta, dna, tmp_path
):
    genome, out = open_genome(fasta), tmp_path / "out.tsv"
    options = {"window": WINDOW, "dtype": "float32"}
    done = variant_funnel(model, vcf, genome, output=out, **options)
    expected = {}
    starts = range(30, 260, 3)
    windows = [dna[start - 20 : start + 21] for start in starts]
    for start, each in zip(starts, attention_scores(model, windows, dtype="float32"), strict=True):
        if any(
            begin <= 20 < end for begin, end in high_attention_regions(each.sequence, each.scores)
        ):
            expected[start + 1] = each.scores[20] / each.scores.mean()
    rows = read_table(out)
    assert 0 < done.n_high == len(expected) < done.n_windows == len(windows)
    assert (done.n_records, done.n_scored, done.n_kept) == (len(windows) + 2, len(rows), len(rows))
    assert {int(row["position_1based"]) for row in rows} == set(expected)
    for row in rows:
        assert float(row["attention"]) == pytest.approx(
            expected[int(row["position_1based"])], rel=1e-3
        )
    sizes = [abs(float(row["diff_yes"])) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    few = tmp_path / "few.tsv"
    catalogs = write_catalogs(tmp_path, rows[0])
    page = tmp_path / "page.html"
    variant_funnel(
        *(model, vcf, genome),
        output=few,
        keep=2,
        catalogs=catalogs,
        build="hg19",
        report=page,
        **options,
    )
    first, second = read_table(few)
    assert first["diff_yes"] == rows[0]["diff_yes"]
    found = {name: [first[f"{name}_{field}"] for field in module._FIELDS] for name in catalogs}
    assert found == {
        "clinvar": ["allele", "Pathogenic: Some disease; Another, type 2", "", "4711"],
        "gwas": ["rs number", "Height", "9E-48", "123"],
        "grasp": ["position", "Ménière's disease", "1e-9", "456"],
    }
    assert second["clinvar_match"] in ("", "position")  # the other allele of the same base
    text = page.read_text()
    assert "in a high-attention region" in text
    assert "Pathogenic: Some disease" in text
    assert not list(tmp_path.glob("*.funnel"))
    for is_phone in (False, True):
        opened = browser.open(page, is_phone=is_phone)
        assert opened.get_by_text("Pathogenic: Some disease").first.is_visible()
        assert opened.overflow() <= 0
        assert not opened.outside_requests() and not opened.problems


def test_a_stopped_funnel_goes_on(model, vcf, fasta, tmp_path, monkeypatch):
    genome, out, whole = open_genome(fasta), tmp_path / "out.tsv", tmp_path / "whole.tsv"
    variant_funnel(model, vcf, genome, output=whole, window=WINDOW)
    with monkeypatch.context() as patch:

        def stop(*_, **__):
            raise KeyboardInterrupt

        patch.setattr(module, "score_variants", stop)
        with pytest.raises(KeyboardInterrupt):
            variant_funnel(model, vcf, genome, output=out, window=WINDOW)
    assert (tmp_path / "out.tsv.funnel" / "attention.parquet").exists()
    with pytest.raises(ValueError, match="holds steps of a run with other inputs"):
        variant_funnel(model, vcf, genome, output=out, window=WINDOW + 2)
    with monkeypatch.context() as patch:
        patch.setattr(module, "attention_scores", stop)  # is not called again
        variant_funnel(model, vcf, genome, output=out, window=WINDOW)
    assert out.read_bytes() == whole.read_bytes()


def test_findings_and_their_parts_have_different_separators(model, vcf, fasta, tmp_path):
    genome, out = open_genome(fasta), tmp_path / "out.tsv"
    variant_funnel(model, vcf, genome, output=out, window=WINDOW)
    row = read_table(out)[0]
    clinvar = write_catalogs(tmp_path, row)["clinvar"]
    with clinvar.open("a") as file:
        file.write(f"1\t{row['position_1based']}\t5\t{row['ref']}\tN\t.\t.\tCLNSIG=Benign\n")
    variant_funnel(
        model,
        vcf,
        genome,
        output=out,
        window=WINDOW,
        catalogs={"clinvar": clinvar},
        build="GRCh37",
        overwrite=True,
    )
    found = {name: cell for name, cell in read_table(out)[0].items() if "clinvar" in name}
    assert found == {
        "clinvar_match": "allele|position",
        "clinvar_text": "Pathogenic: Some disease; Another, type 2|Benign",
        "clinvar_p": "|",
        "clinvar_reference": "4711|5",
    }


def test_positions_count_only_in_the_same_build(tmp_path, caplog):
    allele = Allele("chr1", 99, "A", "C")
    row = {"position_1based": 100, "ref": "A", "alt": "C", "id": "rs7"}
    catalogs = write_catalogs(tmp_path, row)
    without = KnownVariants([allele], ["rs7"]).look_up("clinvar", catalogs["clinvar"])
    assert without == [[]]
    assert "name the build of the genome" in caplog.text
    other = KnownVariants([allele], ["rs7"], "GRCh38")
    assert other.look_up("clinvar", catalogs["clinvar"]) == [[]]
    assert "positions are of GRCh37, the genome's of GRCh38" in caplog.text
    assert other.look_up("gwas", catalogs["gwas"]) == [
        [Finding("rs number", "Height", "9E-48", "123")]
    ]
    assert find_build("hg38") == "GRCh38"
    with pytest.raises(ValueError, match="one of GRCh37, hg19, GRCh38, hg38, got 'mm10'"):
        find_build("mm10")


def test_what_cannot_be_used_ends_in_one_line(model, vcf, fasta, tmp_path, monkeypatch):
    wrong, out = tmp_path / "wrong.tsv", tmp_path / "out.tsv"
    wrong.write_text("a\tb\n")
    base = ["funnel", model, vcf, "--genome", fasta, "--window", WINDOW, "-o", out]
    run = module.attention_scores
    monkeypatch.setattr(module, "attention_scores", None)  # what takes hours is not begun
    for options, message in [
        (["--gwas", wrong], "must be the table of the GWAS Catalog"),
        (["--grasp", tmp_path / "no"], "must be a file, found none"),
        (["--clinvar", vcf], "must be the VCF of ClinVar"),
        (["--build", "mm10"], "a build must be one of"),
        (["--keep", 0], "must be 1 or more"),
        (["--window", 6000], "a window must fit into the genome"),
        (["--label", "nope"], "the class must be one of"),
        (["-o", tmp_path / "out.parquet"], "the output must be named *.tsv"),
        (["--report", tmp_path / "no" / "page.html"], "folder that exists"),
    ]:
        result = CliRunner().invoke(app, [str(each) for each in [*base, *options]])
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert not list(tmp_path.glob("out*"))
    cut_off = tmp_path / "cut_off.vcf"
    cut_off.write_text(vcf.read_text() + "chr1\t7")
    result = CliRunner().invoke(app, [str(each) for each in [*base[:2], cut_off, *base[3:]]])
    assert result.exit_code == 2
    assert "must have 8 tab-separated columns" in result.stderr
    assert not list(tmp_path.glob("out*"))
    monkeypatch.setattr(module, "attention_scores", run)
    result = CliRunner().invoke(app, [str(each) for each in base])
    assert result.exit_code == 0, result.stderr
    assert "in high-attention regions" in result.stderr


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [([], "No allele is left"), ([["chr1", 5, 0.5, ""]], "None of these are in a catalogue")],
)
def test_nothing_left_is_a_sentence_and_no_empty_table(rows, sentence):
    page = Page("Funnel")
    columns = ["contig", "position_1based", "diff_yes", "clinvar_match"]
    fill_funnel_page(page, {"records": 3}, columns, rows, label="yes", n_scores=3)
    text = page.render()
    assert sentence in text
    assert text.count("<table") == text.count("<tbody>\n<tr>") == 1 + len(rows)
    assert "0 of" not in text
