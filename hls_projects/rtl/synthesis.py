"""Resources of a Verilog module on AMD's 7 series, as the open synthesiser Yosys maps it."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hls_projects.errors import InputError
from hls_projects.operators import HardwareOperator
from hls_projects.verilog.twin import LIBRARY, Memory, Twin

# Cells by the LUTs that they occupy (UG474: a RAM or a shift register takes whole LUTs of a SLICEM).
LUT_RAM = {"RAM32M": 4, "RAM64M": 4, "RAM32X1S": 1, "RAM32X2S": 2, "RAM64X1S": 1, "RAM128X1S": 2, "RAM256X1S": 4}
LUT_RAM |= {"RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "SRL16E": 1, "SRLC16E": 1, "SRLC32E": 1}
LOGIC = {f"LUT{inputs}": 1 for inputs in range(1, 7)} | {"LUT6_2": 1, "INV": 1}
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
FREE = ("MUXF7", "MUXF8", "MUXF9", "CARRY4", "IBUF", "OBUF", "BUFG", "VCC", "GND")
BRAM36 = {"RAMB36E1": 1.0, "RAMB18E1": 0.5}

# The cells are read before the hierarchy is resolved, for modules that name them.
SCRIPT = """\
read_verilog -sv -defer {sources}
{chparam}read_verilog -lib -specify +/xilinx/cells_sim.v
read_verilog -lib +/xilinx/cells_xtra.v
hierarchy -check -top {top}
synth_xilinx -run prepare: -family xc7 -noiopad -noclkbuf {flatten}-top {top}
tee -q -o stat.json stat -json
"""


@dataclass(frozen=True)
class Resources:
    """What a module takes.

    Attributes:
        lut: LUTs, those of RAMs and shift registers included. Two small functions in one LUT are
            counted as two, so that a vendor's placement needs no more.
        lut_ram: how many of them are RAM or shift registers, which only a SLICEM has.
        ff: flip-flops.
        carry4: carry chains of four bits.
        bram36: block RAMs of 36 Kib, half ones as 0.5.
        dsp: DSP48E1 slices.
        creator: the synthesiser with its version.
    """

    lut: int
    lut_ram: int
    ff: int
    carry4: int
    bram36: float
    dsp: int
    creator: str


def synthesise(
    top: str,
    parameters: Mapping[str, int],
    sources: Sequence[Path],
    memories: Mapping[str, Memory] | None = None,
    *,
    flatten: bool = False,
) -> Resources:
    """Map module ``top`` with ``yosys synth_xilinx -family xc7``, out of context.

    Args:
        top: the module's name.
        parameters: values of its parameters; one that is not named keeps its default.
        sources: Verilog files of the whole hierarchy.
        memories: contents by name, see :class:`Twin`.
        flatten: map across the borders of modules; slower, for equal modules are mapped again.

    Raises:
        InputError: see there.
    """
    yosys = shutil.which("yosys")
    if yosys is None:
        raise InputError("no yosys on the path; install it (Debian and Ubuntu: apt-get install yosys)")
    with tempfile.TemporaryDirectory(prefix="synthesis-") as folder:
        work = Path(folder)
        twin = Twin(top, parameters, memories or {})
        twin.write_memories(work)
        (work / "synthesis.ys").write_text(_script(twin, sources, flatten))
        run = subprocess.run([yosys, "-q", "-s", "synthesis.ys"], cwd=work, capture_output=True, text=True, check=False)
        if run.returncode:
            raise InputError(f"yosys ended with {run.returncode} on {top}: {run.stderr[-2000:].strip()}")
        return count(_report((work / "stat.json").read_text()))


def synthesise_twin(operator: HardwareOperator) -> Resources:
    """Map an operator's twin.

    Raises:
        InputError: see there.
        NotImplementedError, ValueError: the operator has no twin, or not with its folding.
    """
    twin = operator.twin()
    return synthesise(twin.module, twin.parameters, sources(operator.verilog_folder()), twin.memories)


def sources(folder: Path) -> list[Path]:
    """Every Verilog file of an operator's folder and of the library; modules that are not needed cost nothing."""
    return sorted(folder.glob("*.sv")) + sorted(LIBRARY.glob("*.sv"))


def count(stat: Mapping) -> Resources:
    """Resources of the design in the report of ``stat -json``.

    Raises:
        InputError: it has a cell that is not counted here.
    """
    # A design of one module has no sum.
    modules = {name.removeprefix("\\"): module["num_cells_by_type"] for name, module in stat["modules"].items()}
    design = stat.get("design") or stat["modules"][next(iter(stat["modules"]))]
    cells = Counter({cell: number for cell, number in design["num_cells_by_type"].items() if cell not in modules})
    known = {*LUT_RAM, *LOGIC, *FLIP_FLOPS, *FREE, *BRAM36, "DSP48E1"}
    unknown = sorted(set(cells) - known)
    if unknown:
        raise InputError(f"the netlist has a cell that is not counted: {unknown[0]}")
    lut_ram = sum(cells[cell] * luts for cell, luts in LUT_RAM.items())
    return Resources(
        lut=lut_ram + sum(cells[cell] * luts for cell, luts in LOGIC.items()),
        lut_ram=lut_ram,
        ff=sum(cells[cell] for cell in FLIP_FLOPS),
        carry4=cells["CARRY4"],
        bram36=sum(cells[cell] * share for cell, share in BRAM36.items()),
        dsp=cells["DSP48E1"],
        creator=stat["creator"],
    )


def _script(twin: Twin, sources: Sequence[Path], flatten: bool) -> str:
    values = [f"-set {name} {value}" for name, value in twin.parameters.items()]
    values += [f'-set {name} "{path}"' for name, path in twin.files().items()]
    return SCRIPT.format(
        sources=" ".join(str(source.resolve()) for source in sources),
        chparam=f"chparam {' '.join(values)} {twin.module}\n" if values else "",
        top=twin.module,
        flatten="-flatten " if flatten else "",
    )


def _report(text: str) -> dict:
    """The report without the tree of modules, which Yosys 0.23 prints as plain text amid the JSON."""
    return json.loads("\n".join(line for line in text.splitlines() if line.lstrip()[:1] in ('"', "{", "}")))
