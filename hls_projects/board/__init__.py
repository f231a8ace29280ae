"""From the HLS project to a board: top level, scripts for the vendor's tools, and the folder that is deployed."""

from hls_projects.board.package import BITSTREAM, MANIFEST, write_package
from hls_projects.board.scripts import (
    HLS_SCRIPT,
    HLS_STEPS,
    REPORTS,
    VIVADO_SCRIPT,
    has_board_script,
    write_scripts,
)
from hls_projects.board.tools import HLS_TOOLS, VIVADO_TOOLS, ToolError, find_tool, run_tool
from hls_projects.board.top import Packets, write_top

__all__ = [
    "BITSTREAM",
    "HLS_SCRIPT",
    "HLS_STEPS",
    "HLS_TOOLS",
    "MANIFEST",
    "REPORTS",
    "VIVADO_SCRIPT",
    "VIVADO_TOOLS",
    "Packets",
    "ToolError",
    "find_tool",
    "has_board_script",
    "run_tool",
    "write_package",
    "write_scripts",
    "write_top",
]
