"""Texts of the cards of converted checkpoints, by task and kind of repository."""

__all__ = ["CARD", "CITATION", "CODE", "LIMITS", "ORIGIN", "PIPELINE_TAGS", "STOCK", "TASKS"]

PIPELINE_TAGS = {
    "encoder": "feature-extraction",
    "masked-lm": "fill-mask",
    "sequence-classification": "text-classification",
    "token-classification": "token-classification",
}
TASKS = {
    "encoder": "encoder",
    "masked-lm": "masked language model",
    "sequence-classification": "classifier of sequences ($labels)",
    "token-classification": "classifier of k-mers ($labels)",
}

_PIPELINE = """\
```python
from transformers import pipeline

$call
```
"""
CODE = {
    "encoder": """\
```python
from transformers import AutoModel, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("$name"$trust)
model = AutoModel.from_pretrained("$name"$trust)
inputs = tokenizer("ACGTTGCAACGTAGCTAGG", return_tensors="pt")
embedding = model(**inputs).last_hidden_state[0, 1:-1].mean(dim=0)
```
""",
    "masked-lm": """\
```python
from transformers import AutoModel, AutoTokenizer, pipeline

fill = pipeline("fill-mask", model="$name"$trust)
fill("ACGTTGCAACG[MASK]AGCTAGGATCC")  # [MASK] hides one base: answers for each k-mer over it

tokenizer = AutoTokenizer.from_pretrained("$name"$trust)
encoder = AutoModel.from_pretrained("$name"$trust)
inputs = tokenizer("ACGTTGCAACGTAGCTAGG", return_tensors="pt")
embedding = encoder(**inputs).last_hidden_state[0, 1:-1].mean(dim=0)  # the pooler is not trained
```
""",
    "sequence-classification": _PIPELINE.replace(
        "$call",
        """\
classify = pipeline("text-classification", model="$name"$trust)
classify(["ACGTTGCAACGTAGCTAGG"])""",
    ),
    "token-classification": _PIPELINE.replace(
        "$call",
        """\
classify = pipeline("token-classification", model="$name"$trust)
classify("ACGTTGCAACGTAGCTAGG")""",
    ),
}

_PACKAGE = """\
Where dnabert-hf is installed, `import dnabert_hf` stands for `trust_remote_code`, and """
_TO_STOCK = """
For programs that run no foreign code, this makes a repository of stock BERT with the same ids and
logits, whose tokenizer is some 500 times slower:

```bash
dnabert convert $name stock --stock
```
"""
_IS_STOCK = """\
This is a *stock* repository: BERT's configuration and weights, and a `tokenizer.json` that makes
overlapping k-mers by replacing text, so neither dnabert-hf nor `trust_remote_code` is needed. Take
it for inference servers and programs that must not run foreign code. For training and for genomes
take the full repository, which gives the same ids and logits: its tokenizer reads some 500 times as
many bases a second (k = 6, 512 bases a sequence, one shared CPU core: 69 million against 0.14
million), it takes long sequences or refuses them with the way out, where this one needs
`truncation=True`, and it raises an error where this one makes [UNK] of letters that are no
nucleotides and nothing of sequences shorter than $k bases.
"""
# By whether it is stock and whether it is a classifier.
STOCK = {
    (False, False): f"""\
{_PACKAGE}a
classifier is trained on a table of sequences and labels:

```bash
dnabert finetune peaks.tsv --init $name -o peaks-model
```
{_TO_STOCK}""",
    (False, True): f"""\
{_PACKAGE}files
are read and written by `dnabert`.
{_TO_STOCK}""",
    (True, False): _IS_STOCK,
    (True, True): _IS_STOCK,
}

ORIGIN = {
    "published": """\
## Training

By Ji et al. (2021), on chromosomes 1 to 22 of the human genome GRCh38, forward strand, in segments
of up to 510 k-mers. Spans of $k contiguous k-mers were masked, 15 % of all k-mers for 100,000 steps
and 20 % for 20,000 more, of 2,000 segments each; AdamW, highest learning rate 4e-4; some 25 days on
eight RTX 2080 Ti. The licence is that of the authors' code, github.com/jerryji1993/DNABERT.""",
    "other": """\
## Training

A checkpoint made with $origin. Its files do not say what it was trained on; ask who made it, also
for the licence where the head of this card names none.""",
    "own": """\
## Training

Made with dnabert-hf. Its files do not say what it was trained on.""",
}

LIMITS = """\
## Limits

Species, cell types and regions far from the training data may be modelled badly. Not for clinical
use."""

CITATION = """\
## Citation

Y. Ji, Z. Zhou, H. Liu, R. V. Davuluri: DNABERT: pre-trained Bidirectional Encoder Representations
from Transformers model for DNA-language in genome. *Bioinformatics* 37 (2021), 2112-2120.
[doi:10.1093/bioinformatics/btab083](https://doi.org/10.1093/bioinformatics/btab083)
"""

CARD = """\
---
$metadata
---

# $name

A DNABERT $kind over overlapping $k-mers: $layers layers of $hidden, $parameters million parameters.
It takes raw DNA, in any case, with N and U; $limit k-mers make one piece.

$code
$which
## Conversion

From `$source`, by dnabert-hf:

$facts

$origin

$citation"""
