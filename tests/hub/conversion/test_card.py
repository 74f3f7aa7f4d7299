"""Cards of converted and shipped checkpoints: what they say is true, and their code runs."""

import re
import shlex
import shutil

import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

import dnabert_hf
from dnabert_hf import convert
from dnabert_hf.cards.converted import published_original
from dnabert_hf.cards.names import name_card
from dnabert_hf.cli.main import app
from dnabert_hf.hub.publish import publish
from dnabert_hf.training.finetuning import inputs

TASKS = {
    "BertModel": "feature-extraction",
    "BertForMaskedLM": "fill-mask",
    "BertForSequenceClassification": "text-classification",
    "BertForTokenClassification": "token-classification",
}


def run_code(card):
    """Run every block of a card as it stands, and give the names that the Python left behind."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", card, flags=re.MULTILINE | re.DOTALL)
    assert blocks and card.count("```") == 2 * len(blocks)
    names = {}
    for language, code in blocks:
        assert language in ("python", "bash")
        if language == "python":
            exec(compile(code, "README.md", "exec"), names)
            continue
        for line in code.splitlines():
            command, *arguments = shlex.split(line)
            assert command == "dnabert"
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, result.output
    return names


@pytest.fixture
def work_folder(tmp_path, monkeypatch):
    """The place where a reader of a card stands, with the files that it names."""
    rows = [f"{'ACGTT' * 6 if i % 2 else 'GGCAT' * 6}\t{'xy'[i % 2]}" for i in range(40)]
    (tmp_path / "peaks.tsv").write_text("\n".join(["sequence\tlabel", *rows]) + "\n")
    (tmp_path / "sequences.fa").write_text(">a\nACGTACGTAC\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trusting(monkeypatch, tmp_path):
    """Keeps what transformers copies of a repository's code out of the user's cache."""
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "c"))


@pytest.mark.parametrize("architecture", TASKS)
@pytest.mark.parametrize("stock", [False, True])
@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
def test_every_block_of_a_converted_card_runs(shapes, work_folder, trusting, architecture, stock):
    labels = {0: "background", 1: "promoter"}
    fields = {} if architecture in ("BertModel", "BertForMaskedLM") else {"id2label": labels}
    source = shapes.write_original(
        work_folder / "in", shapes.stock_model(3, architecture, **fields)
    )
    convert(source, work_folder / "dnabert-3", stock=stock)
    card = ModelCard.load(work_folder / "dnabert-3" / "README.md")
    assert (card.data.library_name, card.data.pipeline_tag) == ("transformers", TASKS[architecture])
    assert card.data.tags == ["dna", "genomics", "dnabert", *(["bert"] if stock else [])]
    assert card.data.license is None  # the source does not say
    assert ("trust_remote_code=True" in card.text) == (not stock)
    assert ("This is a *stock* repository" in card.text) == stock
    assert "its tokenizer reads some 500 times as" in card.text or not stock
    assert "From `in`, by dnabert-hf" in card.text
    assert str(work_folder) not in card.content
    names = run_code(card.content)
    if "embedding" in names:
        assert names["embedding"].shape == (16,)
    else:
        assert "promoter" in card.text and names["classify"].model.config.id2label == labels
    done = publish(work_folder / "dnabert-3", "lab/tss", dry_run=True)
    assert '"lab/tss"' in done.card and '"dnabert-3"' not in done.card
    assert {file.name for file in done.files} == {
        path.name for path in (work_folder / "dnabert-3").iterdir()
    }


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
def test_every_block_of_the_shipped_card_runs_here_and_as_a_repository(
    work_folder, trusting, monkeypatch
):
    # That it runs is the question, and not what is learnt in the many passes over few sequences.
    monkeypatch.setattr(inputs, "passes_of_small", lambda *_: {"num_train_epochs": 1})
    folder = dnabert_hf.checkpoint("dnabert-6-mini")
    card = (folder / "README.md").read_text()
    bash = r"^```bash\n.*?^```\n"  # fine-tuning once is enough, under the name of the repository
    names = run_code(re.sub(bash, "", card, flags=re.MULTILINE | re.DOTALL))
    assert len(names["fill"]("ACGTTGCAACG[MASK]AGCTAGGATCC")) == 6
    shutil.copytree(folder, work_folder / "lab" / "mini")
    for file in publish("dnabert-6-mini", "lab/mini", dry_run=True).files:
        target = work_folder / "lab" / "mini" / file.name
        if isinstance(file.content, bytes):
            target.write_bytes(file.content)
        elif file.content.parent != folder:
            shutil.copy(file.content, target)
    card = (work_folder / "lab" / "mini" / "README.md").read_text()
    assert "import dnabert_hf\n" not in card
    run_code(card)
    assert (work_folder / "peaks-model" / "model.safetensors").is_file()


def test_the_dry_run_of_the_shipped_checkpoint_prints_card_and_files():
    result = CliRunner().invoke(app, ["publish", "dnabert-6-mini", "lab/mini", "--dry-run"])
    assert result.exit_code == 0
    folder = dnabert_hf.checkpoint("dnabert-6-mini")
    assert result.stdout.startswith("---\nlibrary_name: transformers\n")
    assert name_card((folder / "README.md").read_text(), "lab/mini") in result.stdout
    lines = result.stdout.splitlines()
    for file in ("config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"):
        assert f"{(folder / file).stat().st_size:>12,}  {file}" in lines
    for file in ("configuration", "modeling", "tokenization"):
        assert any(line.endswith(f"  {file}_dnabert.py") for line in lines)


def test_metadata_of_the_shipped_card_are_those_of_the_hub():
    card = ModelCard.load(dnabert_hf.checkpoint("dnabert-6-mini") / "README.md")
    assert card.data.to_dict().keys() == {
        *("library_name", "license", "model-index", "pipeline_tag", "tags", "widget"),
    }
    assert {each.metric_type: each.metric_value for each in card.data.eval_results} == {
        "bits_per_base": 1.684,
        "accuracy": 0.442,
        "perplexity": 3.2672,
    }
    (example,) = card.data.widget
    assert "[MASK]" in example["text"]


def test_what_the_card_of_a_source_says_is_kept(work_folder):
    convert("dnabert-6-mini", work_folder / "full")
    convert(work_folder / "full", work_folder / "stock", stock=True)
    for folder in ("full", "stock"):
        card = ModelCard.load(work_folder / folder / "README.md")
        assert card.data.license == "apache-2.0"
        assert card.data.eval_results[0].metric_value == 1.684
        assert f"model-index:\n- name: {folder}\n" in card.content
        assert "| random weights | 2.0087" in card.text
        for section in (
            "Conversion",
            "Data",
            "Training",
            "Scores",
            "Sources",
            "Limits",
            "Citation",
        ):
            assert card.text.count(f"## {section}\n") == 1, section
        assert "curves.png" not in card.text


def test_the_licence_of_others_is_kept_and_their_text_is_not(shapes, work_folder):
    source = shapes.write_multimolecule(work_folder / "in", shapes.stock_model(3), 3)
    text = "---\nlicense: agpl-3.0\ndatasets: [lab/genome]\n---\n# theirs\n\n## Data\n\nSecret.\n"
    (source / "README.md").write_text(text)
    convert(source, work_folder / "out")
    card = ModelCard.load(work_folder / "out" / "README.md")
    assert (card.data.license, card.data.datasets) == ("agpl-3.0", ["lab/genome"])
    assert "Secret" not in card.text and "made with multimolecule" in card.text
    (source / "README.md").write_text("---\nlicense: [\n---\n")  # no metadata are no reason to stop
    convert(source, work_folder / "out", overwrite=True)
    assert ModelCard.load(work_folder / "out" / "README.md").data.license is None


def test_the_published_four_are_known_by_name():
    assert published_original("zhihan1996/DNA_bert_3", 3) == "zhihan1996/DNA_bert_3"
    assert published_original("x/y/5-new-12w-0", 5) == "zhihan1996/DNA_bert_5"
    assert published_original("zhihan1996/DNA_bert_3", 4) is None
    assert published_original("zhihan1996/DNABERT-2-117M", 6) is None


def test_a_card_that_somebody_wrote_keeps_its_heading():
    for card in ("# Promoters\n\n```python\nload('x')\n```\n", "# Of dnabert\n", "no heading\n"):
        assert name_card(card, "lab/x") == card
    card = '# {0}\n```bash\ndnabert predict {0} dnabert.fa\n```\n```python\nx("{0}")\n```\n'
    assert name_card(card.format("dnabert"), "lab/x") == card.format("lab/x")


@pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true:UserWarning")
@pytest.mark.parametrize("task", ["generic", "token"])
def test_every_block_of_a_fine_tuned_card_runs(work_folder, trusting, task):
    table = work_folder / "peaks.tsv"
    if task == "token":
        labels = ("0" * 15 + "1" * 15, "1" * 30)
        rows = [f"{'ACGTT' * 3}{'GGCAT' * 3}\t{labels[i % 2]}" for i in range(40)]
        table.write_text("\n".join(["sequence\tlabel", *rows]) + "\n")
    fields = {"k": 3, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    dnabert_hf.finetune(
        "random",
        table,
        output_dir=work_folder / "tuned",
        task=task,
        config=fields | {"intermediate_size": 16},
        arguments={"max_steps": 1, "eval_strategy": "no", "use_cpu": True},
    )
    card = ModelCard.load(work_folder / "tuned" / "README.md")
    names = run_code(card.content)
    if task == "token":
        assert card.data.pipeline_tag == "token-classification"
        assert names["prediction"].probabilities.shape == (19, 2)
        assert (work_folder / "regions.bed").is_file()
    else:
        assert card.data.pipeline_tag == "text-classification"
        assert set(names["classify"].model.config.label2id) == {"x", "y"}
        assert (work_folder / "predictions.tsv").is_file()
