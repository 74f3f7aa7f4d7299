import numpy as np
import pytest
import torch

from dnabert_hf.inference.engine.transfers import Arrival, send, without_cudnn_attention


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64])
def test_rows_of_one_tensor(dtype):
    values = torch.arange(6).reshape(3, 2).to(dtype)
    rows = Arrival(values).rows()
    assert [row.tolist() for row in rows] == [[0, 1], [2, 3], [4, 5]]
    assert {row.dtype for row in rows} == {np.dtype("float32")}


def test_a_number_a_row_stays_an_array():
    rows = Arrival(torch.tensor([1, 2])).rows()
    assert [(row.shape, float(row)) for row in rows] == [((), 1.0), ((), 2.0)]


def test_rows_of_many_shapes():
    given = [torch.ones(2, 3), torch.zeros(0, 3), torch.arange(4).reshape(4, 1)[1:]]
    rows = Arrival(given).rows()
    assert [row.shape for row in rows] == [(2, 3), (0, 3), (3, 1)]
    assert rows[2].tolist() == [[1], [2], [3]]


def test_what_is_sent_to_the_cpu_is_the_same():
    tensor = torch.arange(3)
    assert torch.equal(send(tensor, torch.device("cpu")), tensor)


@pytest.mark.parametrize("before", [True, False])
def test_the_setting_of_cudnn_comes_back(before):
    first = torch.backends.cuda.cudnn_sdp_enabled()
    torch.backends.cuda.enable_cudnn_sdp(before)
    try:
        with pytest.raises(KeyError), without_cudnn_attention():
            assert not torch.backends.cuda.cudnn_sdp_enabled()
            raise KeyError
        assert torch.backends.cuda.cudnn_sdp_enabled() == before
    finally:
        torch.backends.cuda.enable_cudnn_sdp(first)
