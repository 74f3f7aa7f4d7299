"""Which token stands for which word and letter, as run_ner.py and pipelines ask for it."""

import pickle

import pytest
from transformers import BertTokenizer, TokenClassificationPipeline, pipeline

from dnabert_hf import DNABertConfig, DNABertForTokenClassification, DNABertTokenizer

FIELDS = ("ids", "type_ids", "tokens", "offsets", "attention_mask", "special_tokens_mask")
FIELDS += ("word_ids", "sequence_ids", "n_sequences", "overflowing")
SEQUENCES = ["ACGTACGT", "GGGTA", "CCCCCCACA"]
OTHERS = ["TTTT", "ACGATTA", "GGG"]


def kmer_text(dna: str, k: int = 3) -> str:
    return " ".join(dna[i : i + k] for i in range(len(dna) - k + 1))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """The fast BERT tokenizer with the same vocabulary: a k-mer is a word, and so a token."""
    (file,) = DNABertTokenizer(k=3).save_vocabulary(str(tmp_path_factory.mktemp("vocabulary")))
    tokenizer = BertTokenizer(file, do_lower_case=False)
    assert tokenizer.is_fast
    return tokenizer


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("is_pair", [False, True])
def test_kmer_text_is_aligned_as_by_the_fast_bert_tokenizer(tokenizer, bert, is_pair, side):
    texts = [[*map(kmer_text, SEQUENCES)], *([[*map(kmer_text, OTHERS)]] if is_pair else [])]
    ours = tokenizer(*texts, padding=True, padding_side=side)
    stock = bert(*texts, padding=True, padding_side=side)
    assert ours.is_fast
    for row in range(3):
        for field in FIELDS:
            assert getattr(ours[row], field) == getattr(stock[row], field), field
        assert len(ours[row]) == len(stock[row])
        assert ours.tokens(row) == stock.tokens(row)
        assert ours.word_ids(row) == stock.word_ids(row)
        assert ours.sequence_ids(row) == stock.sequence_ids(row)
        for token in range(len(stock[row])):
            for ask in ("token_to_sequence", "token_to_word", "token_to_chars"):
                assert getattr(ours, ask)(row, token) == getattr(stock, ask)(row, token), ask
        for sequence in range(1 + is_pair):
            for place in range(35):
                for ask in ("char_to_token", "char_to_word", "word_to_tokens"):
                    answers = [getattr(each, ask)(row, place, sequence) for each in (ours, stock)]
                    assert answers[0] == answers[1], (ask, row, place, sequence)
            for word in range(len((SEQUENCES, OTHERS)[sequence][row]) - 2):
                spans = [each.word_to_chars(row, word, sequence) for each in (ours, stock)]
                assert spans[0] == spans[1]


def test_raw_dna_is_aligned_by_its_letters(tokenizer):
    """Tokens of ACGTA: [CLS] ACG CGT GTA [SEP]; the first k-mer over a letter is its token."""
    encoding = tokenizer("ACGTA")
    assert encoding.tokens() == ["[CLS]", "ACG", "CGT", "GTA", "[SEP]"]
    assert encoding.word_ids() == [None, 0, 0, 0, None]
    assert encoding.sequence_ids() == [None, 0, 0, 0, None]
    assert [encoding.char_to_token(i) for i in range(6)] == [1, 1, 1, 2, 3, None]
    assert [encoding.token_to_chars(i) for i in range(5)] == [None, (0, 3), (1, 4), (2, 5), None]
    assert encoding.word_to_tokens(0) == (1, 4)
    assert encoding.word_to_chars(0) == (0, 5)
    assert encoding[0].ids == encoding["input_ids"]
    assert [len(each) for each in encoding[:]] == [5]


def test_white_space_begins_a_word(tokenizer):
    encoding = tokenizer("ACGTACGT GGA")
    # The k-mers GTG and TGG begin before the space, GGA behind it.
    assert encoding.tokens()[6:-1] == ["CGT", "GTG", "TGG", "GGA"]
    assert encoding.word_ids() == [None, *[0] * 8, 1, None]


def test_hidden_bases_and_added_tokens(tokenizer):
    tokenizer.add_tokens(["<human>"])
    encoding = tokenizer("<human>ACG[MASK]T")
    assert encoding.tokens() == ["[CLS]", "<human>", "ACG", "[MASK]", "[MASK]", "[SEP]"]
    assert encoding.word_ids() == [None, 0, 1, 1, 1, None]
    assert encoding.token_to_chars(4) == (9, 17)  # <human> has 7 letters: G[MASK]T begins at 9


@pytest.mark.parametrize("pair", [False, True])
def test_words_are_counted_as_given(tokenizer, pair):
    """Words of 3, 5 and 4 letters have 1, 3 and 2 k-mers, whose offsets count in the word."""
    words = ["ACG", "TTTTT", "GGGG"]
    encoding = tokenizer(*[words] * (1 + pair), is_split_into_words=True)
    one = [0, 1, 1, 1, 2, 2]
    assert encoding.word_ids() == [None, *one, None, *([*one, None] if pair else [])]
    assert encoding[0].offsets[1:7] == [(0, 3), (0, 3), (1, 4), (2, 5), (0, 3), (1, 4)]


def test_windows_of_a_long_text_are_rows_of_their_own(tokenizer):
    encoding = tokenizer(
        "ACGTACGT", truncation=True, max_length=5, stride=1, return_overflowing_tokens=True
    )
    rows = [" ".join(row.tokens[1:-1]) for row in encoding[:]]
    assert rows == ["ACG CGT GTA", "GTA TAC ACG", "ACG CGT"]
    assert encoding.char_to_token(1, 2) == 1
    assert encoding.char_to_token(1, 1) is None
    with pytest.raises(IndexError, match="must be below 3, the rows of this batch, got 3"):
        encoding[3]


def test_ids_have_no_words(tokenizer):
    assert tokenizer([5, 9]).word_ids() == [None] * 4


def test_encodings_survive_pickling(tokenizer):
    encoding = pickle.loads(pickle.dumps(tokenizer(["ACGT", "ACGTAA"], padding=True)))
    assert encoding.tokens(0) == ["[CLS]", "ACG", "CGT", "[SEP]", "[PAD]", "[PAD]"]


def test_labels_of_words_are_aligned_as_in_the_examples_of_transformers(tokenizer, bert):
    """`tokenize_and_align_labels` of run_ner.py, on words that are k-mers, against BERT."""

    def align(tokenizer):
        inputs = tokenizer([kmer_text(dna).split() for dna in SEQUENCES], is_split_into_words=True)
        labels = []
        for row in range(len(SEQUENCES)):
            previous, aligned = None, []
            for word in inputs.word_ids(batch_index=row):
                aligned.append(-100 if word is None or word == previous else word % 3)
                previous = word
            labels.append(aligned)
        return inputs["input_ids"], labels

    assert align(tokenizer) == align(bert)


@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words")
def test_the_standard_pipeline_takes_words(tiny_config, tokenizer, bert, strategy):
    """Words that are k-mers: the same tokens, so the same answers as with BERT's tokenizer."""
    config = DNABertConfig.from_dict(tiny_config.to_dict() | {"id2label": dict(enumerate("wxyz"))})
    model = DNABertForTokenClassification(config).eval()
    answers = []
    for each in (tokenizer, bert):
        pipe = pipeline(
            "token-classification",
            model=model,
            tokenizer=each,
            pipeline_class=TokenClassificationPipeline,
            aggregation_strategy=strategy,
        )
        (found,) = pipe([kmer_text("ACGTTGCAACGGATCCATTAG").split()], is_split_into_words=True)
        answers.append([(e["start"], e["end"], float(e["score"])) for e in found])
    assert len(answers[0]) > 1
    assert [a[:2] for a in answers[0]] == [a[:2] for a in answers[1]]
    assert [a[2] for a in answers[0]] == pytest.approx([a[2] for a in answers[1]], abs=1e-6)
