"""Stand-ins for vitis_hls, vitis-run and vivado, which run the scripts that they are given with commands of their own.

Every command that the vendor's tools have and the scripts use is one here: it checks its arguments, the files that
they name and the order of the calls, and leaves what the tool would leave, as far as the scripts go on with it. A
command that is not here is an error, as it is there. What they were given is in ``commands.json``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tkinter
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from tests.support import DATA, ROOT

REPORTS = DATA / "vendor_reports" / "pynq-z2"
# Pins by IP: interfaces, clocks, resets and others, as the vendor's product guides have them.
PINS = {
    "processing_system7:5.5": (
        {"M_AXI_GP0", "S_AXI_HP0", "DDR", "FIXED_IO"}, {"M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"}, set(),
        {"FCLK_CLK0", "FCLK_RESET0_N"},
    ),
    "vit_axi:1.0": ({"images", "results", "s_axi_control"}, {"ap_clk"}, {"ap_rst_n"}, {"interrupt"}),
    "axi_dma:7.1": (
        {"S_AXI_LITE", "M_AXI_MM2S", "M_AXI_S2MM", "M_AXIS_MM2S", "S_AXIS_S2MM"},
        {"s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk"}, {"axi_resetn"},
        {"mm2s_introut", "s2mm_introut"},
    ),
    "axi_gpio:2.0": ({"S_AXI", "GPIO"}, {"s_axi_aclk"}, {"s_axi_aresetn"}, {"gpio_io_o"}),
    "proc_sys_reset:5.0": (
        set(), {"slowest_sync_clk"}, {"ext_reset_in"},
        {"aux_reset_in", "dcm_locked", "peripheral_aresetn", "interconnect_aresetn"},
    ),
}  # fmt: skip
OPTIONAL = {"DDR", "FIXED_IO", "GPIO"}  # made external or left open


class Refused(Exception):
    pass


def need(holds: object, what: str) -> None:
    if not holds:
        raise Refused(what)


def option(arguments: tuple[str, ...], name: str) -> str:
    need(name in arguments, f"{name} is missing in {arguments}")
    return arguments[arguments.index(name) + 1]


class Tool:
    """A Tcl interpreter with the commands ``do_NAME`` of a subclass."""

    def __init__(self):
        self.tcl, self.calls = tkinter.Tcl(), []
        for name in dir(self):
            if name.startswith("do_"):
                self.tcl.createcommand(name.removeprefix("do_"), self.wrapped(name.removeprefix("do_")))
        self.tcl.createcommand("exit", self.end)

    def wrapped(self, name: str) -> Callable[..., str]:
        def call(*arguments: str) -> str:
            self.calls.append([name, *arguments])
            try:
                return getattr(self, f"do_{name}")(*arguments) or ""
            except Refused as error:
                self.fail(f"{name}: {error}")
            except Exception as error:
                self.fail(f"{name}: {error!r}")

        return call

    def fail(self, said: str) -> None:
        print(f"ERROR: {said}", flush=True)
        os._exit(1)

    def end(self, *status: str) -> None:
        with Path("commands.json").open("a") as file:
            file.write(json.dumps(self.calls) + "\n")
        sys.stdout.flush()
        os._exit(int(status[0]) if status else 0)

    def run(self, script: str) -> None:
        print(f"INFO: a stand-in runs {script}", flush=True)
        try:
            self.tcl.eval(f"source {script}")
        except tkinter.TclError as error:
            self.fail(str(error))
        self.fail("the script ends without exit: the tool would wait for commands")


class VitisHls(Tool):
    def __init__(self):
        super().__init__()
        self.sources, self.bench, self.done = [], [], []

    def solution(self) -> Path:
        return Path(self.project) / self.name

    def do_open_project(self, reset, name):
        need(reset == "-reset", "an old project is taken up")
        shutil.rmtree(name, ignore_errors=True)
        Path(name).mkdir()
        self.project = name

    def do_set_top(self, top):
        self.top = top

    def do_add_files(self, *arguments):
        (*flags,) = arguments
        is_bench = flags[0] == "-tb"
        path = Path(flags[1] if is_bench else flags[0])
        need(path.exists(), f"{path} does not exist")
        if path.suffix == ".cpp":
            need(option(arguments, "-cflags") == "-std=c++14", f"flags {arguments}")
        (self.bench if is_bench else self.sources).append(path)

    def do_open_solution(self, reset, name, *flow):
        need(reset == "-reset" and flow == ("-flow_target", "vivado"), f"flow {flow}")
        self.name = name
        self.solution().mkdir()

    def do_set_part(self, part):
        self.part = part

    def do_create_clock(self, *arguments):
        self.period = float(option(arguments, "-period"))

    def do_set_clock_uncertainty(self, share, clock):
        need(share.endswith("%") and clock == "default", f"{share} of {clock}")

    def do_config_compile(self, *arguments):
        pass

    def do_config_rtl(self, *arguments):
        need(arguments == ("-reset", "control"), f"{arguments}")

    def do_csim_design(self):
        names = {path.name for path in self.bench}
        need({f"{self.top}_test.cpp", "weights", "tb_data"} == names, f"test bench is {names}")
        need((self.bench[-1] / "tb_input_features.dat").is_file(), "no images")
        self.done.append("csim")
        print("INFO: [SIM 211-1] CSim done with 0 errors.", flush=True)

    def do_csynth_design(self):
        text = "".join(path.read_text() for path in self.sources)
        need(f"void {self.top}(" in text, f"no function {self.top}")
        need("csynth" not in os.environ.get("STANDIN_FAILS", ""), "synthesis is made to fail")
        report = self.solution() / "syn" / "report"
        report.mkdir(parents=True)
        content = (REPORTS / "csynth.xml").read_text().replace("<TopModelName>vit<", f"<TopModelName>{self.top}<")
        if "part" in os.environ.get("STANDIN_FAILS", ""):
            content = content.replace("xc7z020", "xc7z045")
        (report / "csynth.xml").write_text(content)
        self.done.append("csynth")

    def do_cosim_design(self, *arguments):
        need("csynth" in self.done and option(arguments, "-argv").isdecimal(), f"{arguments} after {self.done}")
        self.done.append("cosim")

    def do_export_design(self, *arguments):
        need("csynth" in self.done and option(arguments, "-format") == "ip_catalog", f"{arguments} after {self.done}")
        folder = self.solution() / "impl" / "ip"
        folder.mkdir(parents=True)
        parts = (option(arguments, name) for name in ("-vendor", "-library", "-ipname", "-version"))
        (folder / "component.xml").write_text(":".join(parts))
        self.done.append("export")


class Vivado(Tool):
    def __init__(self):
        super().__init__()
        self.cells, self.joined, self.driven, self.bases = {}, defaultdict(int), {}, {}
        self.properties, self.valid, self.ran = {}, False, False

    def do_create_project(self, force, name, folder, *arguments):
        need(force == "-force" and option(arguments, "-part"), f"{arguments}")
        self.folder, self.name = Path(folder), name

    def do_get_board_parts(self, quiet, part):
        need(quiet == "-quiet", "would end the script itself")
        return "" if "board" in os.environ.get("STANDIN_FAILS", "") else part

    def do_current_project(self):
        return "project"

    def do_current_fileset(self):
        return "sources_1"

    def do_set_property(self, *arguments):
        *what, where = arguments
        if what[0] == "-dict":
            pairs = self.tcl.splitlist(what[1])
            what = list(pairs)
        for name, value in zip(what[::2], what[1::2], strict=True):
            self.properties[where, name] = value

    def do_update_ip_catalog(self):
        found = Path(self.properties["project", "ip_repo_paths"]) / "component.xml"
        need(found.is_file(), f"{found} does not exist")
        self.core = found.read_text()

    def do_create_bd_design(self, name):
        self.design = name

    def do_create_bd_cell(self, *arguments):
        vlnv, name = option(arguments, "-vlnv"), arguments[-1]
        need(vlnv.startswith("xilinx.com:ip:") or vlnv == self.core, f"no IP {vlnv}")
        need(name not in self.cells, f"{name} is there")
        self.cells[name] = vlnv.split(":", 2)[2]

    def do_get_bd_cells(self, name):
        need(name in self.cells, f"no cell {name}")
        return name

    def do_apply_bd_automation(self, *arguments):
        need(option(arguments, "-rule") == "xilinx.com:bd_rule:processing_system7", f"{arguments}")
        need('apply_board_preset "1"' in option(arguments, "-config"), "no preset of the board")

    def pins(self, cell):
        ip = self.cells[cell]
        if not ip.startswith("smartconnect"):
            return PINS[ip]
        ends = [f"{end}{n:02d}_AXI" for end, kind in (("S", "NUM_SI"), ("M", "NUM_MI"))
                for n in range(int(self.properties[cell, f"CONFIG.{kind}"]))]  # fmt: skip
        return set(ends), {"aclk"}, {"aresetn"}, set()

    def pin(self, path, kinds):
        cell, name = path.split("/")
        need(cell in self.cells, f"no cell {cell}")
        need(any(name in self.pins(cell)[kind] for kind in kinds), f"no pin {path}")
        return path

    def do_get_bd_intf_pins(self, path):
        return self.pin(path, (0,))

    def do_get_bd_pins(self, path):
        return self.pin(path, (1, 2, 3))

    def do_connect_bd_intf_net(self, one, other):
        for path in (one, other):
            need(not self.joined[path], f"{path} is joined twice")
            self.joined[path] += 1

    def do_connect_bd_net(self, source, sink):
        need(sink not in self.driven, f"{sink} is driven twice")
        self.driven[sink] = source

    def do_get_bd_addr_spaces(self, name):
        need(name == "ps7/Data", f"no address space {name}")
        return name

    def do_get_bd_addr_segs(self, name):
        cell, interface, kind = name.split("/")
        need(interface in self.pins(cell)[0] and kind == "Reg", f"no segment {name}")
        return name

    def do_assign_bd_address(self, *arguments):
        if arguments:
            self.bases[arguments[-2]] = int(option(arguments, "-offset"), 16)

    def do_validate_bd_design(self):
        for cell in self.cells:
            interfaces, clocks, resets, _ = self.pins(cell)
            for name in interfaces - OPTIONAL:
                need(self.joined[f"{cell}/{name}"], f"{cell}/{name} is open")
            for name in clocks | resets:
                need(f"{cell}/{name}" in self.driven, f"{cell}/{name} is not driven")
        need(self.driven["core/ap_rst_n"] == "core_reset/peripheral_aresetn", "the core has another reset")
        need(
            len(set(self.bases.values())) == 3 and all(base % 0x10000 == 0 for base in self.bases.values()), "addresses"
        )
        self.valid = True

    def do_save_bd_design(self):
        pass

    def do_get_files(self, name):
        need(name == f"{self.design}.bd", f"no file {name}")
        return name

    def do_make_wrapper(self, *arguments):
        need("-top" in arguments and "-import" in arguments, f"{arguments}")

    def do_launch_runs(self, *arguments):
        need(self.valid and option(arguments, "-to_step") == "write_bitstream", f"{arguments}")
        need(self.properties["sources_1", "top"] == f"{self.design}_wrapper", "another top")

    def do_wait_on_run(self, run):
        if "impl" in os.environ.get("STANDIN_FAILS", ""):
            return
        self.ran = True
        runs = self.folder / f"{self.name}.runs" / "impl_1"
        handoff = self.folder / f"{self.name}.gen" / "sources_1" / "bd" / self.design / "hw_handoff"
        for folder, name in ((runs, f"{self.design}_wrapper.bit"), (handoff, f"{self.design}.hwh")):
            folder.mkdir(parents=True)
            (folder / name).write_text(f"{name} of a stand-in")

    def do_get_runs(self, name):
        return name

    def do_get_property(self, name, where):
        return {"PROGRESS": "100%" if self.ran else "61%", "STATUS": "place_design ERROR"}[name]

    def do_open_run(self, name):
        need(self.ran, "nothing was run")

    def do_report_utilization(self, *arguments):
        deep = "-hierarchical" in arguments
        shutil.copy(REPORTS / f"vit_utilization_{'hierarchical' if deep else 'routed'}.rpt", option(arguments, "-file"))

    def do_report_timing_summary(self, *arguments):
        shutil.copy(REPORTS / "vit_timing_summary_routed.rpt", option(arguments, "-file"))


ARGUMENTS = {
    "vitis_hls": (VitisHls, ["-f", "hls.tcl"]),
    "vitis-run": (VitisHls, ["--mode", "hls", "--tcl", "hls.tcl"]),
    "vivado": (Vivado, ["-mode", "batch", "-nojournal", "-nolog", "-source", "vivado.tcl"]),
}


def install(folder: Path, *names: str) -> None:
    """Executables ``names`` in ``folder``."""
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from tests.support.vendor_standin import main\nmain({name!r})\n"
        )
        path.chmod(0o755)


def main(name: str) -> None:
    tool, expected = ARGUMENTS[name]
    if sys.argv[1:] != expected:
        print(f"ERROR: {name} was given {sys.argv[1:]} instead of {expected}")
        sys.exit(9)
    tool().run(expected[-1])
