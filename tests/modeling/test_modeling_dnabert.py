import copy

import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertForMaskedLM, BertModel
from transformers.utils import is_flash_attn_2_available

from dnabert_hf import (
    DNABertConfig,
    DNABertForMaskedLM,
    DNABertForSequenceClassification,
    DNABertForTokenClassification,
    DNABertModel,
)
from dnabert_hf.modeling.modeling_dnabert import _cut_into_pieces

HEADS = (DNABertForMaskedLM, DNABertForSequenceClassification, DNABertForTokenClassification)


def random_ids(config: DNABertConfig, *lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    """[CLS] k-mers [SEP], padded on the right: ids and attention mask."""
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for row, length in zip(ids, lengths, strict=True):
        row[1 : length - 1] = torch.randint(5, config.vocab_size, (length - 2,))
        row[0], row[length - 1] = 2, 3
    return ids, (ids != 0).long()


def with_fields(config: DNABertConfig, **fields) -> DNABertConfig:
    return DNABertConfig.from_dict(config.to_dict() | fields)


@pytest.mark.parametrize("k", range(2, 9))
def test_outputs_equal_stock_bert_with_the_same_weights(k):
    config = DNABertConfig(
        k=k, hidden_size=64, num_hidden_layers=3, num_attention_heads=4, intermediate_size=128
    )
    fields = {n: v for n, v in config.to_dict().items() if n in BertConfig().to_dict()}
    fields.pop("model_type")
    bert_config = BertConfig(**fields)
    ids, mask = random_ids(config, 50, 31)
    for ours_class, stock_class in (
        (DNABertModel, BertModel),
        (DNABertForMaskedLM, BertForMaskedLM),
    ):
        stock = stock_class(bert_config).eval()
        ours = ours_class(config).eval()
        ours.load_state_dict(stock.state_dict())
        got, expected = ours(ids, mask)[0], stock(ids, mask)[0]
        torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_parameter_counts_are_those_of_the_published_dnabert_6():
    with torch.device("meta"):
        base = DNABertModel(DNABertConfig(k=6))
        mlm = DNABertForMaskedLM(DNABertConfig(k=6))
    assert base.num_parameters() == 89_190_912
    # The original's masked language model carries the untrained pooler along; ours leaves it out.
    assert mlm.num_parameters() + base.pooler.dense.weight.numel() + 768 == 89_787_141


def test_word_embeddings_and_decoder_are_one_tensor_also_after_loading(tiny_config, tmp_path):
    model = DNABertForMaskedLM(tiny_config)
    model.save_pretrained(tmp_path)
    for each in (model, DNABertForMaskedLM.from_pretrained(tmp_path)):
        assert each.cls.predictions.decoder.weight is each.bert.embeddings.word_embeddings.weight
        assert each.cls.predictions.decoder.bias is each.cls.predictions.bias


def test_embeddings_can_be_resized_and_saved(tiny_config, tmp_path):
    model = DNABertForMaskedLM(tiny_config)
    model.resize_token_embeddings(72)
    model.save_pretrained(tmp_path)
    loaded = DNABertForMaskedLM.from_pretrained(tmp_path)
    assert (loaded.config.k, loaded.config.vocab_size) == (3, 72)
    assert loaded(torch.tensor([[2, 71, 3]])).logits.shape == (1, 3, 72)


@pytest.mark.parametrize("pooling", ["mean", "concat", "lstm", "gru"])
def test_long_sequences_are_classified_by_their_pieces(tiny_config, pooling):
    """A row gives the same logits alone, in a batch with longer rows, and padded on the left."""
    config = with_fields(tiny_config, segment_pooling=pooling, num_segments=3, num_labels=3)
    model = DNABertForSequenceClassification(config).eval()
    ids, mask = random_ids(config, 1300, 600, 512, 40)
    together = model(ids, mask).logits
    assert together.std(dim=0).min() > 1e-3  # rows differ, so that equality says something
    for row, length in enumerate((1300, 600, 512, 40)):
        alone = model(ids[row : row + 1, :length]).logits[0]
        torch.testing.assert_close(alone, together[row], atol=1e-5, rtol=1e-4)
        left = torch.zeros(1, 1400, dtype=torch.long)
        left[0, -length:] = ids[row, :length]
        on_the_left = model(left, (left != 0).long()).logits[0]
        torch.testing.assert_close(on_the_left, together[row], atol=1e-5, rtol=1e-4)


def test_mean_pooling_is_the_mean_of_the_pieces_wrapped_by_hand(tiny_config):
    model = DNABertForSequenceClassification(tiny_config).eval()
    ids, _ = random_ids(tiny_config, 700)
    cls, sep = torch.tensor([2]), torch.tensor([3])
    pieces = [torch.cat([cls, ids[0, a:b], sep])[None] for a, b in ((1, 511), (511, 699))]
    pooled = torch.cat([model.bert(piece).pooler_output for piece in pieces]).mean(0)
    torch.testing.assert_close(model(ids).logits[0], model.classifier(pooled))


def test_pieces_keep_token_types_and_cover_the_content_once(tiny_config):
    ids, mask = random_ids(tiny_config, 1100, 300)
    types = (torch.arange(1100) > 800).long().expand(2, -1) * mask
    pieces, piece_mask, piece_types, rows = _cut_into_pieces(ids, mask, types, tiny_config)
    assert rows.tolist() == [0, 0, 0, 1]
    assert piece_mask.sum(dim=1).tolist() == [512, 512, 80, 300]
    content = torch.cat(
        [piece[m.bool()][1:-1] for piece, m in zip(pieces[:3], piece_mask, strict=False)]
    )
    assert torch.equal(content, ids[0, 1:1099])
    kept = torch.cat([t[m.bool()][1:-1] for t, m in zip(piece_types[:3], piece_mask, strict=False)])
    assert torch.equal(kept, types[0, 1:1099])


def test_concat_refuses_more_pieces_than_it_has_room_for(tiny_config):
    config = with_fields(tiny_config, segment_pooling="concat", num_segments=2)
    ids, mask = random_ids(config, 1100)
    with pytest.raises(ValueError, match=r"num_segments = 2 pieces .* got one of 3 pieces"):
        DNABertForSequenceClassification(config)(ids, mask)


def test_pieces_need_ids_and_no_positions(tiny_config):
    model = DNABertForSequenceClassification(tiny_config)
    with pytest.raises(ValueError, match="needs input_ids and no position_ids; got 600 tokens"):
        model(inputs_embeds=torch.zeros(1, 600, 32))


@pytest.mark.parametrize("n_columns", [600, 1400])
def test_a_mask_of_another_length_cuts_nothing_off(tiny_config, n_columns):
    model = DNABertForSequenceClassification(tiny_config).eval()
    with pytest.raises(
        ValueError, match=r"attention_mask must have the shape of input_ids, \(1, 702"
    ):
        model(torch.full((1, 702), 7), torch.ones(1, n_columns, dtype=torch.long))


@pytest.mark.parametrize(
    "model_class", [DNABertModel, DNABertForMaskedLM, DNABertForTokenClassification]
)
def test_other_models_refuse_long_sequences_and_name_the_way_out(tiny_config, model_class):
    ids, _ = random_ids(tiny_config, 600)
    with pytest.raises(ValueError, match=r"at most 512 tokens .* got 600; cut it into windows"):
        model_class(tiny_config)(ids)


def test_ids_of_another_vocabulary_are_refused(tiny_config):
    with pytest.raises(
        ValueError, match=r"from 0 to 68 \(the vocabulary of k = 3\), got 2 to 4000"
    ):
        DNABertModel(tiny_config)(torch.tensor([[2, 4000, 3]]))


@pytest.mark.parametrize("model_class", [DNABertModel, *HEADS])
@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_attentions_are_never_empty(tiny_config, model_class, implementation):
    config = copy.deepcopy(tiny_config)
    config._attn_implementation = implementation
    model = model_class(config).eval()
    ids, mask = random_ids(config, 9)
    output = model(ids, mask, output_attentions=True, output_hidden_states=True)
    assert [a.shape for a in output.attentions] == [(1, 2, 9, 9)] * 2
    torch.testing.assert_close(output.attentions[0].sum(-1), torch.ones(1, 2, 9))
    assert len(output.hidden_states) == 3
    assert model.config._attn_implementation == implementation


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, by torch
@pytest.mark.parametrize(
    "implementation", ["eager", pytest.param("flex_attention", marks=pytest.mark.slow)]
)  # the latter is compiled first
@torch.no_grad()
def test_every_attention_kernel_gives_the_same_output(tiny_config, implementation):
    sdpa = DNABertModel(tiny_config).eval()
    other = DNABertModel(tiny_config).eval()
    other.load_state_dict(sdpa.state_dict())
    other.set_attn_implementation(implementation)
    ids, mask = random_ids(tiny_config, 20, 13)
    got, expected = (m(ids, mask).last_hidden_state[mask.bool()] for m in (other, sdpa))
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not is_flash_attn_2_available(), reason="flash-attn is not installed")
def test_flash_attention_gives_the_same_output(tiny_config):
    sdpa = DNABertModel(tiny_config).eval().to("cuda", torch.bfloat16)
    flash = copy.deepcopy(sdpa)
    flash.set_attn_implementation("flash_attention_2")
    ids, mask = (t.to("cuda") for t in random_ids(tiny_config, 20, 13))
    got, expected = (m(ids, mask).last_hidden_state[mask.bool()] for m in (flash, sdpa))
    torch.testing.assert_close(got, expected, atol=0.1, rtol=0.1)


def test_flash_attention_is_declared_supported():
    assert DNABertModel._supports_flash_attn
    assert DNABertModel._supports_flex_attn


@pytest.mark.parametrize("model_class", HEADS)
def test_gradient_checkpointing_gives_the_same_gradients(tiny_config, model_class):
    config = with_fields(tiny_config, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    ids, mask = random_ids(config, 16, 10)
    labels = torch.tensor([0, 1])
    if model_class is DNABertForMaskedLM:
        labels = ids.clone()
    elif model_class is DNABertForTokenClassification:
        labels = (ids % 2).clone()
    plain = model_class(config).train()
    checkpointed = copy.deepcopy(plain)
    checkpointed.activation_checkpointing_enable()
    for model in (plain, checkpointed):
        model(ids, mask, labels=labels).loss.backward()
    for ours, theirs in zip(plain.parameters(), checkpointed.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad)


def test_bfloat16_stays_near_float32(tiny_config):
    config = with_fields(tiny_config, initializer_range=0.02)
    model = DNABertForSequenceClassification(config).eval()
    ids, mask = random_ids(config, 700, 60)
    expected = model(ids, mask).logits
    got = model.to(torch.bfloat16)(ids, mask).logits
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, atol=1e-2, rtol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, by torch
def test_compiled_model_gives_the_same_output(tiny_config):
    model = DNABertForSequenceClassification(tiny_config).eval()
    ids, mask = random_ids(tiny_config, 30, 12)
    with torch.no_grad():
        expected = model(ids, mask).logits
        got = torch.compile(model)(ids, mask).logits
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch, by torch
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_exported_encoder_gives_the_same_output(tiny_config):
    model = DNABertModel(tiny_config).eval()
    ids, mask = random_ids(tiny_config, 30, 12)
    exported = torch.export.export(model, (), {"input_ids": ids, "attention_mask": mask})
    got = exported.module()(input_ids=ids, attention_mask=mask)["last_hidden_state"]
    torch.testing.assert_close(got, model(ids, mask).last_hidden_state, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("problem_type", "num_labels", "labels"),
    [
        ("single_label_classification", 3, torch.tensor([0, 2])),
        ("multi_label_classification", 3, torch.tensor([[0, 1, 1], [1, 0, 0]])),
        ("regression", 1, torch.tensor([1, 3])),
        ("regression", 2, torch.tensor([[0.5, 1.0], [2.0, 3.0]])),
    ],
)
def test_every_problem_type_has_its_loss(tiny_config, problem_type, num_labels, labels):
    config = with_fields(tiny_config, num_labels=num_labels)
    config.problem_type = problem_type
    model = DNABertForSequenceClassification(config).eval()
    output = model(*random_ids(config, 8, 8), labels=labels)
    functional = torch.nn.functional
    expected = {
        "single_label_classification": lambda: functional.cross_entropy(output.logits, labels),
        "multi_label_classification": lambda: functional.binary_cross_entropy_with_logits(
            output.logits, labels.float()
        ),
        "regression": lambda: functional.mse_loss(output.logits.squeeze(-1), labels.float()),
    }[problem_type]()
    torch.testing.assert_close(output.loss, expected)
    output.loss.backward()


def test_original_state_dict_with_old_names_loads_unchanged(tiny_config, tmp_path):
    """Weights as the original repositories have them: gamma/beta, position_ids, no decoder bias."""
    model = DNABertForMaskedLM(tiny_config)
    old = {}
    for name, tensor in model.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        name = name.replace("LayerNorm.bias", "LayerNorm.beta")
        if name != "cls.predictions.decoder.bias":
            old[name] = tensor.clone()
    old["bert.embeddings.position_ids"] = torch.arange(512)[None]
    fields = tiny_config.to_dict()
    for name in ("model_type", "auto_map", "k"):
        fields.pop(name)
    BertConfig(**fields).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(
        (tmp_path / "config.json").read_text().replace('"model_type": "bert",', "")
    )
    save_file(old, tmp_path / "model.safetensors")
    loaded, info = DNABertForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert loaded.config.k == 3
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name

    (tmp_path / "model.safetensors").unlink()
    torch.save(old, tmp_path / "pytorch_model.bin")
    from_pickle = DNABertForMaskedLM.from_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(from_pickle.state_dict()[name], tensor), name


@pytest.mark.parametrize("pooling", ["lstm", "gru", "concat"])
def test_new_heads_are_initialised_when_loaded_from_a_pretrained_encoder(
    tiny_config, tmp_path, pooling
):
    """from_pretrained builds models on the meta device: what it misses would be uninitialised."""
    DNABertForMaskedLM(tiny_config).save_pretrained(tmp_path)
    model = DNABertForSequenceClassification.from_pretrained(
        tmp_path, segment_pooling=pooling, num_segments=2
    )
    for name, parameter in model.classifier.named_parameters():
        assert parameter.isfinite().all()
        assert "bias" in name or 0 < parameter.std() < 2


def test_mean_token_pooling_is_the_mean_of_the_kmers_alone(tiny_config):
    tiny_config.token_pooling = "mean"
    model = DNABertModel(tiny_config).eval()
    ids = torch.tensor([[2, 10, 20, 30, 3, 0, 0], [2, 11, 21, 31, 41, 51, 3]])
    mask = (ids != 0).long()
    with torch.no_grad():
        outputs = model(ids, attention_mask=mask)
        alone = model(ids[:1, :5])
        as_tuple = model(ids, attention_mask=mask, return_dict=False)
        by_hand = model.pooler(alone.last_hidden_state[:, 1:4].mean(dim=1, keepdim=True))
        # Without ids every token counts.
        embedded = model.embeddings.word_embeddings(ids[:1, :5])
        blind = model(inputs_embeds=embedded)
    torch.testing.assert_close(outputs.pooler_output[:1], by_hand)
    torch.testing.assert_close(as_tuple[1], outputs.pooler_output)
    assert list(outputs)[:2] == ["last_hidden_state", "pooler_output"]
    everything = model.pooler(blind.last_hidden_state.mean(dim=1, keepdim=True))
    torch.testing.assert_close(blind.pooler_output, everything)
    assert DNABertConfig(k=3).token_pooling == "cls"
