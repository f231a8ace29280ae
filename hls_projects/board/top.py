"""The top level that goes onto a board: AXI4-Stream around the network, counters behind AXI4-Lite, its test bench."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hls_projects import AXI_TOP, PROJECT
from hls_projects.errors import InputError
from hls_projects.names import tcl_word
from hls_projects.simulation.compiler import AXI_HEADER
from hls_projects.templates import environment

if TYPE_CHECKING:
    # Its import takes seconds, and the parser of a build asks this package for the steps of a script.
    from hls4ml.model.graph import ModelGraph

HERE = Path(__file__).parent
HEADER = HERE / "axi_top.h"
BEAT_BYTES = 8
WORD_BYTES = 4


@dataclass(frozen=True)
class Packets:
    """What an image and its result are on the two streams; ``axi_top.h`` has the order of the bytes.

    Args:
        height, width, channels: of an image, uint8.
        classes: logits of a result.
    """

    height: int
    width: int
    channels: int
    classes: int

    @classmethod
    def of(cls, graph: ModelGraph) -> Packets:
        """Those of a network in hls4ml.

        Raises:
            InputError: pixels that are not uint8, or images that do not fill their last beat.
        """
        (source,), (sink,) = graph.get_input_variables(), graph.get_output_variables()
        height, width, channels = (int(size) for size in source.shape)
        found = cls(height, width, channels, int(sink.shape[-1]))
        if source.type.precision.width != BEAT_BYTES or source.type.precision.signed:
            raise InputError(f"pixels are {source.type.precision}, not uint8; the top level has no packets for them")
        if found.image_bytes % BEAT_BYTES:
            raise InputError(f"an image of {found.image_bytes} bytes does not fill beats of {BEAT_BYTES}")
        return found

    @property
    def image_bytes(self) -> int:
        return self.height * self.width * self.channels

    @property
    def image_beats(self) -> int:
        return self.image_bytes // BEAT_BYTES

    @property
    def result_words(self) -> int:
        """Logits, class and number of the packet, and what fills the last beat."""
        return 2 * math.ceil((self.classes + 2) / 2)

    @property
    def result_bytes(self) -> int:
        return self.result_words * WORD_BYTES


def write_top(graph: ModelGraph, project: Path) -> Packets:
    """Add the top level and its test bench to the HLS project of ``graph`` in the folder ``project``.

    Raises:
        InputError: as of :meth:`Packets.of`.
    """
    packets = Packets.of(graph)
    names = {
        "top": AXI_TOP,
        "core": PROJECT,
        "height": packets.height,
        "width": packets.width,
        "channels": packets.channels,
        "image_beats": packets.image_beats,
    }
    firmware = project / "firmware"
    shutil.copyfile(HEADER, firmware / HEADER.name)
    shutil.copyfile(AXI_HEADER, firmware / "ap_types" / AXI_HEADER.name)
    (firmware / f"{AXI_TOP}.h").write_text(render("axi_top_decl.h.j2", **names))
    (firmware / f"{AXI_TOP}.cpp").write_text(render("axi_top.cpp.j2", **names))
    (project / f"{AXI_TOP}_test.cpp").write_text(render("axi_top_test.cpp.j2", **names))
    return packets


def render(template: str, **names: object) -> str:
    """The text of one of this folder's templates; a name that it lacks is an error."""
    templates = environment(HERE / "templates")
    templates.filters["tcl"] = tcl_word
    return templates.get_template(template).render(**names)
