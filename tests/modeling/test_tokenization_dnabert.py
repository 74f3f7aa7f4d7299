import hashlib
import pickle
import random
from importlib import resources
from itertools import product

import numpy as np
import pytest
from transformers import AutoTokenizer, BertTokenizer

from dnabert_hf import DNABertTokenizer
from dnabert_hf.modeling import tokenization_dnabert

KS = range(2, 9)
PUBLISHED_KS = (3, 4, 5, 6)


def random_dna(rng: random.Random, n: int, letters: str = "ACGT") -> str:
    return "".join(rng.choices(letters, k=n))


def test_ids_are_those_of_the_original_vocabulary():
    tokenizer = DNABertTokenizer(k=6)
    kmers = ["ACGTAC", "CGTACG", "GTACGT", "GGGGGG", "AAAAAA", "AAAAAT", "AAAAAC", "AAAAAG"]
    assert tokenizer.convert_tokens_to_ids(kmers) == [727, 2896, 3378, 4100, 5, 6, 7, 8]
    assert tokenizer("ACGTACGT")["input_ids"] == [2, 727, 2896, 3378, 3]


# Sums over the lines of vocab.txt of github.com/jerryji1993/DNABERT (commit c9b6ccb8603f),
# src/transformers/dnabert-config/bert-config-K, whose files differ in the final line break only.
ORIGINAL_VOCABULARIES = {
    3: "2b32fac2e2451a372dacc78c6953827052b8fdc70d9d7d3be7bc96016ae855f9",
    4: "cbe4efeb5db2d70beca1ed612c2b9ef1ab9e762531c12bbed3f21c1dddea8f2e",
    5: "cb26cec621b5f135b11b043d52dff6d0366dc8ca290bafbab75fe38826055e9d",
    6: "d8f61c247fc10f9b8c7f6baf4d31876f30076d4aaf9f31ff47b9e68badd62e61",
}


@pytest.mark.parametrize("k", PUBLISHED_KS)
def test_shipped_vocabulary_is_the_original_one(k):
    folder = resources.files("dnabert_hf.tokenizer_files") / f"dnabert-{k}"
    text = (folder / "vocab.txt").read_text()
    assert hashlib.sha256(text.encode()).hexdigest() == ORIGINAL_VOCABULARIES[k]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert text.splitlines() == special + ["".join(kmer) for kmer in product("ATCG", repeat=k)]


@pytest.mark.parametrize("k", KS)
def test_ids_equal_bert_tokenizer_on_kmer_text(k, tmp_path):
    (vocab_file,) = DNABertTokenizer(k=k).save_vocabulary(str(tmp_path))
    bert = BertTokenizer(vocab_file, do_lower_case=False)
    rng = random.Random(k)
    sequences = [random_dna(rng, rng.randint(k, 60)) for _ in range(1000)]
    texts = [" ".join(s[i : i + k] for i in range(len(s) - k + 1)) for s in sequences]
    expected = bert(texts)["input_ids"]
    ours = DNABertTokenizer(k=k)
    assert ours(texts)["input_ids"] == expected
    assert ours(sequences)["input_ids"] == expected


@pytest.mark.parametrize("k", KS)
def test_ids_equal_a_plain_loop_over_any_iupac_text(k):
    tokenizer = DNABertTokenizer(k=k)
    vocabulary = tokenizer.get_vocab()
    rng = random.Random(k)
    sequences = [
        random_dna(rng, rng.randint(k, 80), "ACGTacgtuUNnRYswkmbdhvACGTACGT") for _ in range(300)
    ]
    batch = tokenizer(sequences)["input_ids"]
    for sequence, ids in zip(sequences, batch, strict=True):
        plain = sequence.upper().replace("U", "T")
        kmers = [plain[i : i + k] for i in range(len(plain) - k + 1)]
        assert ids == [2, *(vocabulary.get(kmer, 1) for kmer in kmers), 3]
        assert tokenizer(sequence)["input_ids"] == ids


def plain_ids(sequence: str, k: int) -> list[int]:
    ids = {"".join(kmer): i for i, kmer in enumerate(product("ATCG", repeat=k), start=5)}
    kmers = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
    return [2, *(ids.get(kmer, 1) for kmer in kmers), 3]


@pytest.mark.parametrize("k", KS)
def test_ids_follow_one_rule_whatever_the_k(k, tmp_path):
    tokenizer = DNABertTokenizer(k=k)
    sequence = random_dna(random.Random(k), 3000) + "N" + 12 * "G" + 12 * "A"
    ids = plain_ids(sequence, k)
    assert 4 + 4**k in ids  # of k = 8, 65,540: more than 16 bits
    assert tokenizer(sequence, verbose=False)["input_ids"] == ids
    words = " ".join(sequence[i : i + k] for i in range(len(sequence) - k + 1))
    assert tokenizer(words, verbose=False)["input_ids"] == ids
    tensor = tokenizer([sequence[-40:]] * 2, return_tensors="np")["input_ids"]
    assert tensor[1].tolist() == plain_ids(sequence[-40:], k)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.k, loaded.vocab_size) == (k, 5 + 4**k)
    assert loaded.decode(ids[1 : 3000 - k + 2]) == sequence[:3000]


def test_white_space_in_raw_dna_is_ignored(tokenizer):
    plain = tokenizer("ACGTACGTAC")["input_ids"]
    assert tokenizer("ACGTA\nCGTAC\n")["input_ids"] == plain
    assert tokenizer("ACGTACGT AC")["input_ids"] == plain
    # Groups of letters that do not overlap as k-mers would are raw DNA as well.
    assert tokenizer("ACGTA CGTAC GGGGG")["input_ids"] == tokenizer("ACGTACGTACGGGGG")["input_ids"]
    assert tokenizer("A C G T A C G T A C")["input_ids"] == plain


def test_mask_inside_raw_dna_hides_one_base(tokenizer):
    assert tokenizer("ACGT[MASK]ACG")["input_ids"] == [2, 16, 50, 4, 4, 4, 16, 3]
    assert tokenizer("[MASK]ACGT[MASK]")["input_ids"] == [2, 4, 16, 50, 4, 3]


def test_mask_in_kmer_text_is_one_token(tokenizer):
    assert tokenizer("ATG [MASK] GGC")["input_ids"] == [2, 12, 4, 67, 3]


def test_special_and_added_tokens_stand_between_sequences():
    tokenizer = DNABertTokenizer(k=3)
    assert tokenizer.add_tokens(["<human>"]) == 1
    assert tokenizer("<human>ACGT[SEP]ATG")["input_ids"] == [2, 69, 16, 50, 3, 12, 3]
    assert len(tokenizer) == 70
    assert tokenizer.vocab_size == 69


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AC", r"sequence 0 .* at least k = 3 bases, got 2"),
        ("", r"sequence 0 .* at least k = 3 bases, got 0"),
        (["ACGT", "A"], r"sequence 1 .* at least k = 3 bases, got 1"),
        (["ACGT", "ACEGT"], r"sequence 1 .* found 'E' at position 2 \(0-based\)"),
        ("ACG-T", r"found '-' at position 3"),
        ("ACGT?A", r"found '\?' at position 4"),
        ("ACGTé", r"found 'é' at position 4"),
        ("ACGT\nTXA", r"found 'X' at position 6"),
        ("ACG[MUSK]T", r"found '\[' at position 3"),
        ("ATG TGX GXC", r"found 'X' at position 6"),
        ("ATG TGG CCC", r"TGG and CCC \(words 1 and 2, 0-based\) do not"),
        ("ACGTA CGTAC GTACG", r"made of 5-mers .* of k = 3: use the tokenizer of k = 5, or pass"),
        ("ACGTACGTAC CGTACGTACG", r"made of 10-mers and the tokenizer of k = 3: pass the DNA w"),
    ],
)
def test_bad_text_is_refused_with_its_place(tokenizer, text, message):
    with pytest.raises(ValueError, match=message):
        tokenizer(text)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"text": ["ACGT", "ACGTA"], "return_tensors": "np"}, "add padding=True"),
        ({"text": "ACGT", "return_tensors": "tf"}, 'must be "pt" or "np"'),
        ({"text": ["ACGT"], "text_pair": "ACGT"}, "one text for each of the 1 texts, got 1"),
        ({"text": ["ACGT"], "text_pair": ["ACGT", "ACG"]}, "each of the 1 texts, got 2"),
        ({"text": [("ACGT", "ACG"), "ACGT"]}, r"sequence 0 .* pairs must be pairs throughout"),
        ({"text": 5}, "text must be a string or a list of strings, got 5"),
        (
            {"text": "ACGTACGT", "max_length": 5, "truncation": True, "stride": 3}
            | {"return_overflowing_tokens": True},
            "must leave more than stride = 3 tokens .* leaves 3",
        ),
        (
            {"text": ["ACGTACGT"], "text_pair": ["ACGTACGT"], "max_length": 7, "truncation": True}
            | {"return_overflowing_tokens": True},
            "windows of both at once are not defined",
        ),
        ({"text": [[]], "is_split_into_words": True}, "at least k = 3 bases, got 0"),
    ],
)
def test_bad_calls_are_refused(tokenizer, call, message):
    with pytest.raises(ValueError, match=message):
        tokenizer(**call)


def test_unsupported_k_is_refused():
    for k in (0, 1, 9, "6"):
        with pytest.raises(ValueError, match=f"k must be from 2 to 8, got {k!r}"):
            DNABertTokenizer(k=k)


def test_foreign_vocabulary_is_refused_with_its_line(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nAAAAAAAAA\n")
    with pytest.raises(ValueError, match="must hold k-mers of 2 to 8 bases, its last token has 9"):
        DNABertTokenizer(str(path))
    path.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nAAA\nAAC\n")
    with pytest.raises(ValueError, match="line 7 must be AAT, found AAC"):
        DNABertTokenizer(str(path))
    with pytest.raises(ValueError, match="must hold the vocabulary of k = 4"):
        DNABertTokenizer(str(path), k=4)


def test_id_outside_the_vocabulary_is_refused(tokenizer):
    with pytest.raises(ValueError, match=r"token ids must be from 0 to 68, .* got 69"):
        tokenizer.decode([69])


def test_pairs_get_segment_ids_as_bert_does(tokenizer):
    encoded = tokenizer("ATGGCT", "ACGTA")
    assert encoded["input_ids"] == [2, 12, 36, 67, 62, 3, 16, 50, 57, 3]
    assert encoded["token_type_ids"] == [0] * 6 + [1] * 4
    assert tokenizer([("ATGGCT", "ACGTA")])["input_ids"] == [encoded["input_ids"]]
    assert tokenizer(["ATGGCT"], ["ACGTA"])["input_ids"] == [encoded["input_ids"]]


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("pairs", [None, ["ACGT", "TTTT", "ACGTAG"]])
def test_matrices_hold_what_the_lists_hold(tokenizer, side, pairs):
    texts = ["ATGGCT", "ACG", "ACGTNACGTA"]
    options = {"padding": True, "padding_side": side, "return_special_tokens_mask": True}
    options |= {"return_offsets_mapping": True, "pad_to_multiple_of": 4, "return_length": True}
    as_lists = tokenizer(texts, pairs, **options)
    for kind in ("np", "pt"):
        as_tensors = tokenizer(texts, pairs, return_tensors=kind, **options)
        assert set(as_tensors) == set(as_lists)
        for name, tensor in as_tensors.items():
            rows = [
                list(map(tuple, row)) if name == "offset_mapping" else row
                for row in tensor.tolist()
            ]
            assert rows == as_lists[name], name
    width = len(as_lists["input_ids"][0])
    assert width % 4 == 0
    assert as_lists["length"] == [width] * 3
    for ids, mask, special in zip(
        *(as_lists[n] for n in ("input_ids", "attention_mask", "special_tokens_mask")), strict=True
    ):
        assert mask == [int(i != 0) for i in ids]
        assert special == [int(i in (0, 2, 3)) for i in ids]
        assert (ids[0] == 0) == (side == "left" and 0 in ids)


def test_padding_to_max_length_and_one_row_without_special_tokens(tokenizer):
    encoded = tokenizer("ATGGCT", padding="max_length", max_length=8, return_tensors="np")
    assert encoded["input_ids"].tolist() == [[2, 12, 36, 67, 62, 3, 0, 0]]
    assert tokenizer("ATGGCT", add_special_tokens=False)["input_ids"] == [12, 36, 67, 62]
    assert tokenizer(["ATGGCT"], add_special_tokens=False, return_tensors="np")[
        "input_ids"
    ].tolist() == [[12, 36, 67, 62]]


def test_single_string_gives_flat_lists_and_tensors_with_a_batch_axis(tokenizer):
    assert tokenizer("ATGG", return_length=True)["length"] == 4
    assert tokenizer("ATGG", return_tensors="pt")["input_ids"].shape == (1, 4)
    assert tokenizer([]) == {"input_ids": [], "token_type_ids": [], "attention_mask": []}
    assert tokenizer([], return_tensors="np", padding=True)["input_ids"].shape == (0, 0)


def test_model_input_names_choose_the_columns():
    tokenizer = DNABertTokenizer(k=3, model_input_names=["input_ids"])
    assert set(tokenizer("ATGG")) == {"input_ids"}


@pytest.mark.parametrize(
    "text", ["ACGTNacgu", "ACG TA\nCGNT", "ACGT[MASK]AC GG", "ATG TGG [MASK] GCA"]
)
def test_offsets_cut_each_token_out_of_the_text(tokenizer, text):
    encoded = tokenizer(text, return_offsets_mapping=True)
    assert encoded["offset_mapping"][0] == encoded["offset_mapping"][-1] == (0, 0)
    spans = encoded["offset_mapping"][1:-1]
    for token_id, (begin, end) in zip(encoded["input_ids"][1:-1], spans, strict=True):
        piece = text[begin:end]
        if token_id == tokenizer.mask_token_id:
            assert "[MASK]" in piece
        else:
            plain = "".join(piece.split()).upper().replace("U", "T")
            assert tokenizer.convert_tokens_to_ids(plain) == token_id


def test_offsets_of_a_plain_sequence_count_bases(tokenizer):
    offsets = tokenizer(["ATGGC", "ACGT"], return_offsets_mapping=True)["offset_mapping"]
    assert offsets == [[(0, 0), (0, 3), (1, 4), (2, 5), (0, 0)], [(0, 0), (0, 3), (1, 4), (0, 0)]]


@pytest.mark.parametrize("side", ["right", "left"])
def test_windows_cover_a_long_sequence_with_the_stride_shared(side):
    tokenizer = DNABertTokenizer(k=3, truncation_side=side)
    kmers = tokenizer("ACGTTGCAACGT", add_special_tokens=False)["input_ids"]  # 10 k-mers
    encoded = tokenizer(
        ["ACGTTGCAACGT", "ACGT"],
        max_length=6,
        truncation=True,
        stride=1,
        return_overflowing_tokens=True,
    )
    assert encoded["overflow_to_sample_mapping"] == [0, 0, 0, 1]
    starts = [0, 3, 6] if side == "right" else [6, 3, 0]
    assert [row[1:-1] for row in encoded["input_ids"][:3]] == [kmers[s : s + 4] for s in starts]


def test_windows_of_one_side_of_a_pair_keep_the_other(tokenizer):
    encoded = tokenizer(
        ["ACGTT"],
        ["ACGTTGCA"],
        max_length=9,
        truncation="only_second",
        return_overflowing_tokens=True,
        return_tensors="np",
        padding=True,
    )
    first, second = tokenizer("ACGTT")["input_ids"][1:-1], tokenizer("ACGTTGCA")["input_ids"][1:-1]
    assert encoded["input_ids"].tolist() == [
        [2, *first, 3, *second[:3], 3],
        [2, *first, 3, *second[3:], 3],
    ]
    assert encoded["overflow_to_sample_mapping"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("strategy", "side", "kept"),
    [
        ("only_first", "right", (slice(0, 2), slice(0, 4))),
        ("only_second", "right", (slice(0, 5), slice(0, 1))),
        ("longest_first", "right", (slice(0, 3), slice(0, 3))),
        ("longest_first", "left", (slice(2, 5), slice(1, 4))),
    ],
)
def test_truncation_of_pairs(strategy, side, kept):
    tokenizer = DNABertTokenizer(k=3, truncation_side=side)
    first, second = "ACGTTGC", "GGCATC"  # 5 and 4 k-mers
    encoded = tokenizer(first, second, max_length=9, truncation=strategy)["input_ids"]
    a, b = (tokenizer(s, add_special_tokens=False)["input_ids"] for s in (first, second))
    assert encoded == [2, *a[kept[0]], 3, *b[kept[1]], 3]


def test_truncation_says_once_how_many_sequences_it_cut(tokenizer, caplog, monkeypatch):
    monkeypatch.setattr(tokenization_dnabert, "_told_about_cutting", False)
    monkeypatch.setattr(tokenization_dnabert.logger, "propagate", True)
    for _ in range(2):
        tokenizer(["ACGTACGT", "ACGT"], max_length=4, truncation=True)
    assert [r.getMessage() for r in caplog.records if "cut" in r.getMessage()] == [
        "truncation cut 1 of 2 sequences to 2 tokens and the special ones; "
        "return_overflowing_tokens=True keeps the rest as windows (said once)"
    ]


def test_words_and_ids_are_taken_as_well(tokenizer):
    assert tokenizer(["ATG", "CCC"], is_split_into_words=True)["input_ids"] == [2, 12, 47, 3]
    batch = tokenizer([["ATG", "CCC"], ["ATGG"]], is_split_into_words=True)
    assert batch["input_ids"] == [[2, 12, 47, 3], [2, 12, 36, 3]]
    assert tokenizer([[12, 36], [12]])["input_ids"] == [[2, 12, 36, 3], [2, 12, 3]]
    assert tokenizer([12, 36])["input_ids"] == [2, 12, 36, 3]
    assert tokenizer(np.array(["ATGG", "ATG"]))["input_ids"] == [[2, 12, 36, 3], [2, 12, 3]]
    pair = tokenizer([(["ATG"], ["CCC"])], is_split_into_words=True)
    assert pair["input_ids"] == [[2, 12, 3, 47, 3]]


@pytest.mark.parametrize("k", KS)
def test_decode_returns_the_encoded_sequence(k):
    """Decoding gives back the DNA, an N wherever no k-mer tells the base."""
    tokenizer = DNABertTokenizer(k=k)
    rng = random.Random(k)
    for _ in range(200):
        sequence = random_dna(rng, rng.randint(k, 60), "ACGT" * 8 + "N")
        ids = tokenizer(sequence)["input_ids"]
        decoded = tokenizer.decode(ids, skip_special_tokens=True)
        assert len(decoded) == len(sequence)
        assert tokenizer(decoded)["input_ids"] == ids
        if "N" not in sequence:
            assert decoded == sequence


def test_decode_writes_hidden_bases_as_mask_or_n(tokenizer):
    ids = tokenizer("ACGT[MASK]ACG")["input_ids"]
    assert tokenizer.decode(ids) == "[CLS] ACGT[MASK]ACG [SEP]"
    assert tokenizer.decode(ids, skip_special_tokens=True) == "ACGTNACG"
    assert tokenizer(tokenizer.decode(ids[1:-1]))["input_ids"] == ids
    assert tokenizer.decode([4]) == "[MASK][MASK][MASK]"
    assert tokenizer.decode(1) == "NNN"


def test_decode_keeps_pairs_and_contradicting_kmers_apart(tokenizer):
    pair = tokenizer("ATGGCT", "ACGTA", padding="max_length", max_length=12)["input_ids"]
    assert tokenizer.decode(pair, skip_special_tokens=True) == "ATGGCT ACGTA"
    assert tokenizer.decode(pair) == "[CLS] ATGGCT [SEP] ACGTA [SEP] [PAD] [PAD]"
    assert tokenizer.decode([12, 47]) == "ATG CCC"
    assert tokenizer.decode([12, 4, 47]) == "ATG[MASK] CCC"
    assert tokenizer.batch_decode([[12, 36], [12]]) == ["ATGG", "ATG"]


def test_tokens_and_strings(tokenizer):
    assert tokenizer.tokenize("ATGGN") == ["ATG", "TGG", "[UNK]"]
    assert tokenizer.tokenize("ATGG", pair="ACG") == ["ATG", "TGG", "ACG"]
    with_special = ["[CLS]", "ATG", "[SEP]", "ACG", "[SEP]"]
    assert tokenizer.tokenize("ATG", pair="ACG", add_special_tokens=True) == with_special
    assert tokenizer.convert_ids_to_tokens([2, 12, 1]) == ["[CLS]", "ATG", "[UNK]"]
    assert tokenizer.convert_tokens_to_ids(["atg", "aug", "ATN"]) == [12, 12, 1]
    assert tokenizer.convert_tokens_to_string(["ATG", "TGG"]) == "ATGG"


@pytest.mark.parametrize("k", KS)
def test_saved_tokenizer_comes_back_through_auto_tokenizer(k, tmp_path):
    tokenizer = DNABertTokenizer(k=k, padding_side="left")
    tokenizer.add_tokens(["<mouse>"])
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(loaded, DNABertTokenizer)
    assert (loaded.k, loaded.padding_side, loaded.model_max_length) == (k, "left", 512)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    loaded.save_pretrained(tmp_path / "again")
    saved = (tmp_path / "again" / "tokenizer_config.json").read_text()
    assert "is_local" not in saved
    assert str(tmp_path) not in saved


@pytest.mark.parametrize("k", PUBLISHED_KS)
def test_shipped_folder_loads_through_auto_tokenizer(k):
    folder = resources.files("dnabert_hf.tokenizer_files") / f"dnabert-{k}"
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    assert isinstance(tokenizer, DNABertTokenizer)
    assert tokenizer.k == k
    assert tokenizer.model_max_length == 512


def test_files_of_the_original_repositories_load(tmp_path):
    DNABertTokenizer(k=3).save_vocabulary(str(tmp_path))
    (tmp_path / "tokenizer_config.json").write_text('{"do_lower_case": true, "max_len": 512}')
    tokenizer = DNABertTokenizer.from_pretrained(tmp_path)
    assert tokenizer("atgg")["input_ids"] == [2, 12, 36, 3]


def test_pickled_tokenizer_encodes_alike(tokenizer):
    assert pickle.loads(pickle.dumps(tokenizer))("ATGGN") == tokenizer("ATGGN")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_datasets_map_with_two_processes(tokenizer, tmp_path):
    from datasets import Dataset

    data = Dataset.from_dict({"sequence": ["ATGG", "ACGT", "ATGGC", "GGG"]})
    mapped = data.map(
        lambda batch: tokenizer(batch["sequence"]), batched=True, batch_size=2, num_proc=2
    )
    assert mapped["input_ids"][:2] == [[2, 12, 36, 3], [2, 16, 50, 3]]
