"""Scripts for the vendor's tools: Vitis HLS makes the core, Vivado the bitstream around it."""

from __future__ import annotations

from pathlib import Path

from hls_projects import AXI_TOP, PROJECT
from hls_projects.board.top import render
from hls_projects.targets import Target

HLS_SCRIPT, VIVADO_SCRIPT = "hls.tcl", "vivado.tcl"
HLS_STEPS = ("csim", "csynth", "cosim", "export")
REPORTS = "reports"
HLS_PROJECT, SOLUTION = f"{AXI_TOP}_prj", "solution1"
DESIGN = f"{PROJECT}_board"
UNCERTAINTY = "27%"
VENDOR = "potstream"
# Of the block design: cells, where the processor finds them, and the segments' names there.
ADDRESSES = {"core": "0x40000000", "dma": "0x40400000", "core_reset_gpio": "0x41200000"}
SEGMENTS = {
    "core": "core/s_axi_control/Reg",
    "dma": "dma/S_AXI_LITE/Reg",
    "core_reset_gpio": "core_reset_gpio/S_AXI/Reg",
}
ZYNQ = "xc7z"


def has_board_script(target: Target) -> bool:
    """The block design is that of a Zynq-7000."""
    return target.part.startswith(ZYNQ)


def write_scripts(target: Target, folder: Path) -> list[str]:
    """Write the scripts for ``target`` into ``folder``, beside the HLS project ``hls``.

    Returns:
        Names of the scripts: without that of Vivado for a device that is no Zynq-7000.
    """
    names = {
        "top": AXI_TOP,
        "core": PROJECT,
        "project": HLS_PROJECT,
        "solution": SOLUTION,
        "target": target,
        "steps": HLS_STEPS,
        "uncertainty": UNCERTAINTY,
        "vendor": VENDOR,
        "design": DESIGN,
        "addresses": ADDRESSES,
        "segments": SEGMENTS,
    }
    folder.mkdir(parents=True, exist_ok=True)
    scripts = [HLS_SCRIPT, *([VIVADO_SCRIPT] if has_board_script(target) else [])]
    for script in scripts:
        (folder / script).write_text(render(f"{script}.j2", **names))
    return scripts
