import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dnabert_hf import DNABertForMaskedLM
from dnabert_hf.files.weights import quiet_transformers, readable_weights


class Code:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, is_zip):
    path = tmp_path / "pytorch_model.bin"
    torch.save({"weight": Code()}, path, _use_new_zipfile_serialization=is_zip)
    with (
        pytest.raises(ValueError, match=r"pytorch_model\.bin must be a pickle of tensors alone"),
        readable_weights(path),
    ):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize("share", [0, 0.3, 0.97])
def test_cut_weights_are_named(tmp_path, share):
    path, pickled = tmp_path / "model.safetensors", tmp_path / "weights.pt"
    save_file({"weight": torch.ones(1000)}, path)
    torch.save({"weight": torch.ones(1000)}, pickled)
    for each in (path, pickled):
        content = each.read_bytes()
        each.write_bytes(content[: int(share * len(content))])
        with (
            pytest.raises(ValueError, match=rf"{each.name} must (hold whole files|be a pickle) of"),
            readable_weights(each),
        ):
            if each is path:
                with safe_open(path, framework="pt"):
                    pass
            else:
                torch.load(each, weights_only=True)


def test_other_errors_come_through():
    with pytest.raises(RuntimeError, match="out of memory"), readable_weights("model"):
        raise RuntimeError("out of memory")


def test_bars_of_weights_are_held_back_and_back_after_it(tiny_config, tmp_path, capfd):
    DNABertForMaskedLM(tiny_config).save_pretrained(tmp_path)
    DNABertForMaskedLM.from_pretrained(tmp_path)
    assert "Loading weights" in capfd.readouterr().err  # of transformers, for those who want them
    with quiet_transformers():
        DNABertForMaskedLM.from_pretrained(tmp_path).save_pretrained(tmp_path)
    assert capfd.readouterr().err == ""
    DNABertForMaskedLM.from_pretrained(tmp_path)
    assert "Loading weights" in capfd.readouterr().err
