"""How many threads torch works with."""

from __future__ import annotations

import pytest
import torch

from brevitas_model.training.threads import one_thread


def test_torch_gets_its_threads_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before
