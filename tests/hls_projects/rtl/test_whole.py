"""Equal parts are synthesised once, and not again."""

from __future__ import annotations

import pytest

from hls_projects import cost
from hls_projects.calibration.grid import Design
from hls_projects.rtl import whole
from hls_projects.verilog.twin import LIBRARY, Twin


def fifo(depth):
    return Design(cost.fifo_demand(8, depth), Twin("fifo", {"WIDTH": 8, "DEPTH": depth}), LIBRARY)


@pytest.mark.yosys
def test_synthesised_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    calls = []

    def counting(*arguments):
        calls.append(arguments)
        return synthesise(*arguments)

    synthesise = whole.synthesise
    monkeypatch.setattr(whole, "synthesise", counting)
    parts = {"a": fifo(4), "b": fifo(4), "c": fifo(20)}
    told = []
    found = whole.synthesised(parts, progress=lambda done, of: told.append((done, of)))
    assert len(calls) == 2 and told == [(1, 2), (2, 2)]
    assert found["a"] == found["b"] and found["a"].lut > 0 and "Yosys" in found["a"].creator
    assert found["c"].ff > found["a"].ff
    assert whole.synthesised(parts) == found and len(calls) == 2
