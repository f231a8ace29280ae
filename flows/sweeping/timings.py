"""Timing and memory of a model's pipeline at one length of its FIFOs, cached so that none is simulated twice."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tempfile
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brevitas_model.checkpoint import load_checkpoint, save_checkpoint
from brevitas_model.config import ViTConfig
from brevitas_model.models import build_model
from brevitas_model.training.run import carry_weights
from flows.building.cached_graphs import code_digest, lowered_graph
from flows.sweeping.lengths import LOSSLESS, SMALLEST, Length
from hls_projects.dataflow import Deadlock, Network, Sizing, Trace, explain, simulate, size_fifos
from hls_projects.dataflow.program import busy_cycles
from hls_projects.dataflow.sizing import Depths
from hls_projects.files import parse_json, read_text, read_whole, write_whole
from hls_projects.folding.choices import operators_of
from hls_projects.folding.options import FoldOptions
from hls_projects.folding.search import fold_pipeline
from hls_projects.project import pipeline
from hls_projects.targets import Target

Columns = dict[str, Any]


@dataclass(frozen=True)
class Hardware:
    """The pipeline of the weights in ``checkpoint`` with the attention and tiles of ``config``."""

    checkpoint: Path
    config: ViTConfig
    target: Target

    @functools.cached_property
    def digest(self) -> str:
        """Digest of everything that decides its timing."""
        parts = [self.config.to_json(), repr(self.target)]
        content = read_whole(self.checkpoint) + code_digest() + Path(__file__).read_bytes()
        return hashlib.sha256(content + "".join(parts).encode()).hexdigest()

    @functools.cached_property
    def pipeline(self) -> tuple[Network, int]:
        """Its network, folded to be as fast as fits the target, and the bits that store its keys and values."""
        with tempfile.TemporaryDirectory() as name:
            model = build_model(self.config)
            carry_weights(load_checkpoint(self.checkpoint)[0], model)
            file = Path(name) / "model.safetensors"
            save_checkpoint(file, model.eval(), {})
            lowered = lowered_graph(file)
        folded = fold_pipeline(lowered, self.target, FoldOptions(), rough=True)
        stores = sum(operator.storage_bits() for operator in operators_of(folded.model).values())
        return folded.network, stores

    @functools.cached_property
    def sizing(self) -> Sizing:
        return size_fifos(self.pipeline[0])

    def depths(self, length: Length) -> Depths:
        """The depth of every FIFO that can be sized."""
        if isinstance(length, int):
            return common_depth(self.pipeline[0], length)
        return {SMALLEST: self.sizing.smallest, LOSSLESS: self.sizing.lossless}[length].depths

    def measure(self, length: Length, images: int) -> Columns:
        """The columns of :func:`measure`, and the bits of memory."""
        network, store_bits = self.pipeline
        depths = self.depths(length)
        fifo_bits = network.storage_bits(depths)
        memory = {"fifo_bits": fifo_bits, "key_value_bits": store_bits, "memory_bits": fifo_bits + store_bits}
        return memory | measure(network, depths, images)


def common_depth(network: Network, length: int) -> Depths:
    return {fifo.name: length for fifo in network.sizable}


def measure(network: Network, depths: Depths, images: int) -> Columns:
    """Timing of a run of ``images`` images that enter as soon as the pipeline accepts them.

    Returns:
        ``latency_cycles``: latency of the first image, from an empty pipeline;
        ``interval_cycles``: initiation interval, between the last two images;
        ``loaded_latency_cycles``: latency of the last image, with other images before it;
        ``bottleneck_cycles``: for which one image occupies the slowest process;
        ``starved_cycles``, ``backpressured_cycles``: stalls of the run, summed over all processes except the source
        and the sink;
        ``deadlock``: whether the pipeline deadlocks, which leaves the cycles above None except the bottleneck's;
        ``remedy``: the depths that would resolve it, in words.
    """
    trace = simulate(network, depths, images)
    found = explain(trace)
    columns: Columns = {
        "images": images,
        "latency_cycles": None,
        "interval_cycles": None,
        "loaded_latency_cycles": None,
        "bottleneck_cycles": max(busy_cycles(process.program) for process in network.processes),
        "starved_cycles": None,
        "backpressured_cycles": None,
        "deadlock": found is not None,
        "remedy": _remedy(network, found) if found else "",
    }
    if found:
        return columns
    return columns | {
        "latency_cycles": trace.latency(),
        "interval_cycles": trace.interval(),
        "loaded_latency_cycles": _loaded_latency(trace),
        "starved_cycles": _stall_cycles(trace, writes=False),
        "backpressured_cycles": _stall_cycles(trace, writes=True),
    }


def _loaded_latency(trace: Trace) -> int:
    network = trace.network
    first = next(fifo.name for fifo in network.fifos if network.writer(fifo.name).name == pipeline.SOURCE)
    entered = trace.writes[first][:: network.words[first]]
    return int(trace.completions()[-1] - entered[-1]) + 1


def _stall_cycles(trace: Trace, *, writes: bool) -> int:
    inner = (ports for name, ports in trace.stalls.items() if name not in (pipeline.SOURCE, pipeline.SINK))
    return sum(cycles for ports in inner for (_, is_write), cycles in ports.items() if is_write is writes)


def _remedy(network: Network, found: Deadlock) -> str:
    """Depths that resolve the deadlock: of single FIFOs where one is enough, or one for all FIFOs."""
    length = shortest_length(network)
    deeper = [f"{name} of depth {depth}" for name, depth in found.remedies.items()]
    return " or ".join(deeper + ([f"every FIFO of depth {length}"] if length else [])) or found.remedy()


def shortest_length(network: Network) -> int | None:
    """The smallest depth that, given to every FIFO, lets images through; None where there is none."""

    def runs(length: int) -> bool:
        return not simulate(network, common_depth(network, length), 1).deadlock

    most = max(network.words[fifo.name] for fifo in network.sizable)
    return 1 + bisect_left(range(1, most), True, key=runs) if runs(most) else None


@dataclass(frozen=True)
class Timings:
    """A cache of measured points in a file.

    Args:
        path: made with the first point, and replaced as a whole after each.
        images: of a simulated run.
    """

    path: Path
    images: int

    def of(self, hardware: Hardware, length: Length) -> Columns:
        """The columns of a point; it is simulated only where the cache lacks it for these weights, images and code."""
        known = self._read()
        facts = dataclasses.asdict(hardware.config)
        place = [facts[name] for name in ("attention", "tile_size", "context_tiles", "token_order")]
        name = " ".join(map(str, (*place, length, self.images, hardware.target.name)))
        if known.get(name, {}).get("digest") != hardware.digest:
            known[name] = {"digest": hardware.digest, "columns": hardware.measure(length, self.images)}
            write_whole(self.path, json.dumps(known, indent=1) + "\n")
        return known[name]["columns"]

    def _read(self) -> dict[str, Any]:
        """The content of the file; empty where it is missing or damaged, as every point can be simulated again."""
        try:
            known = parse_json(read_text(self.path))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
