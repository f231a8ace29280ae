"""Reports of Vitis HLS and Vivado are read, and wrong ones say what is wrong. The files are made by hand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hls_projects.errors import InputError
from hls_projects.targets import load_target
from hls_projects.vendor_reports import check_part, read_csynth, read_folder, read_timing, read_utilization
from tests.support import DATA

REPORTS = DATA / "vendor_reports"
PYNQ, KRIA = REPORTS / "pynq-z2", REPORTS / "kv260"
CSYNTH = PYNQ / "csynth.xml"
ROUTED, SYNTHESIZED = PYNQ / "vit_utilization_routed.rpt", PYNQ / "vit_utilization_synth.rpt"
HIERARCHICAL, TIMING = PYNQ / "vit_utilization_hierarchical.rpt", PYNQ / "vit_timing_summary_routed.rpt"


def test_every_file_says_that_it_is_made_by_hand():
    files = [file for file in REPORTS.rglob("*") if file.is_file()]
    assert len(files) == 7
    for file in files:
        assert "ade by hand for potstream's tests" in "".join(file.read_text().splitlines(keepends=True)[:2])


# What is read


def test_csynth():
    found = read_csynth(CSYNTH)
    assert (found.tool, found.part, found.top) == ("Vitis HLS 2023.2", "xc7z020-clg400-1", "vit")
    assert found.evidence == "measured by Vitis HLS 2023.2"
    assert (found.target_period_ns, found.estimated_period_ns) == (10.0, 7.25)
    assert found.clock_mhz == pytest.approx(137.931, abs=1e-3)
    assert (found.latency_cycles, found.interval_cycles) == (91024, 32772)  # the worst case
    assert found.resources == {"LUT": 47310, "FF": 51204, "BRAM36": 93.5, "DSP": 96}
    linear, scores, pixels = found.modules
    assert (linear.name, linear.latency_cycles, linear.interval_cycles) == ("pot_linear_config2_s", 32768, 32769)
    assert scores.resources == {"LUT": 3987, "FF": 4410, "BRAM36": 4.5, "DSP": 24}
    assert (pixels.latency_cycles, pixels.interval_cycles) == (None, None)  # undef


def test_utilization_of_series_7():
    found = read_utilization(ROUTED)
    assert found.evidence == "measured by Vivado 2023.2"
    assert (found.part, found.design, found.state) == ("xc7z020clg400-1", "vit", "Routed")
    assert found.resources == {"LUT": 38412, "FF": 44890, "BRAM36": 88.5, "DSP": 96} and found.modules == ()
    # After synthesis the row is called "Slice LUTs*".
    assert read_utilization(SYNTHESIZED).resources["LUT"] == 41950


def test_utilization_of_ultrascale_plus():
    found = read_utilization(KRIA / "vit_utilization_placed.rpt")
    assert (found.tool, found.state) == ("Vivado 2024.1.2", "Fully Placed")
    assert found.resources == {"LUT": 61000, "FF": 80210, "BRAM36": 72, "URAM": 8, "DSP": 128}


def test_utilization_by_hierarchy():
    found = read_utilization(HIERARCHICAL)
    assert found.resources == read_utilization(ROUTED).resources
    assert [(module.name, module.depth) for module in found.modules] == [
        ("vit", 0),
        ("pot_linear_config2_U0", 1),
        ("pot_linear_config2_U0/weights_U", 2),
        ("attention_scores_config4_U0", 1),
    ]
    assert found.modules[1].resources == {"LUT": 4630, "FF": 5580, "BRAM36": 6.5, "DSP": 0}


def test_utilization_by_hierarchy_with_percentages(tmp_path: Path):
    file = changed(tmp_path, HIERARCHICAL, r"  4630 ", "4630(8.7%) ")
    assert read_utilization(file).modules[1].resources["LUT"] == 4630


def test_timing_that_fails():
    found = read_timing(TIMING)
    assert found.evidence == "measured by Vivado 2023.2" and (found.wns_ns, found.tns_ns) == (-0.412, -38.105)
    assert (found.critical.name, found.critical.period_ns) == ("ap_clk", 10.0)
    assert found.critical.achieved_mhz == pytest.approx(1000 / 10.412)


def test_timing_of_two_clocks():
    """One has no path of its own; the other is derived from it."""
    found = read_timing(KRIA / "vit_timing_summary_placed.rpt")
    assert [(clock.name, clock.period_ns, clock.wns_ns) for clock in found.clocks] == [
        ("clk_pl_0", 10.0, None), ("clk_out1_mmcm", 4.0, 0.25),
    ]  # fmt: skip
    assert found.clocks[0].achieved_mhz is None
    assert found.critical.name == "clk_out1_mmcm" and found.critical.achieved_mhz == pytest.approx(1000 / 3.75)


def test_a_folder():
    """The routed design counts, with the modules of its hierarchical report."""
    found = read_folder(PYNQ)
    assert found.c_synthesis == read_csynth(CSYNTH) and found.timing == read_timing(TIMING)
    assert found.utilization.file == ROUTED and found.utilization.modules == read_utilization(HIERARCHICAL).modules
    assert [report.tool for report in found.found] == ["Vitis HLS 2023.2", "Vivado 2023.2", "Vivado 2023.2"]


def test_a_folder_with_a_part_of_them(tmp_path: Path):
    (tmp_path / "solution1" / "syn" / "report").mkdir(parents=True)
    shutil.copy(CSYNTH, tmp_path / "solution1" / "syn" / "report" / "vit_csynth.xml")
    (tmp_path / "power.rpt").write_text("| Command : report_power\n")
    (tmp_path / "notes.rpt").write_bytes(b"\xff\xfe")
    (tmp_path / ".autopilot").mkdir()
    shutil.copy(CSYNTH, tmp_path / ".autopilot" / "csynth.xml")
    found = read_folder(tmp_path)
    assert found.c_synthesis.top == "vit" and found.utilization is None and found.timing is None


def test_modules_of_another_step_are_left_out(tmp_path: Path):
    shutil.copy(SYNTHESIZED, tmp_path)
    shutil.copy(HIERARCHICAL, tmp_path)
    found = read_folder(tmp_path).utilization
    assert found.state == "Synthesized" and found.modules == ()


# What is refused


def changed(folder: Path, source: Path, old: str, new: str) -> Path:
    """A copy with the first match of the pattern ``old`` changed."""
    text, count = re.subn(old, new, source.read_text(), count=1, flags=re.DOTALL)
    assert count == 1, old
    file = folder / source.name
    file.write_text(text)
    return file


def refused(read: Callable[[Path], object], file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(file)
    said = str(caught.value)
    assert str(file) in said and "\n" not in said and len(said) < 400
    return said


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("<ReportVersion>.*</ReportVersion>", "", "element profile/ReportVersion/Version is missing"),
        ("2023.2", "next", "version 'next' of Vitis HLS is not known"),
        ("<Part>xc7z020-clg400-1</Part>", "", "element profile/UserAssignments/Part is missing"),
        ("<TopModelName>vit", "<TopModelName>", "element profile/UserAssignments/TopModelName is missing or empty"),
        ("<EstimatedClockPeriod>7.250", "<EstimatedClockPeriod>fast", "EstimatedClockPeriod is 'fast', not a number"),
        ("<EstimatedClockPeriod>7.250", "<EstimatedClockPeriod>0.000", "EstimatedClockPeriod is 0, no clock period"),
        ("<unit>ns", "<unit>ps", "UserAssignments/unit is 'ps', not 'ns'"),
        ("<Worst-caseLatency>91024</Worst-caseLatency>", "", "SummaryOfOverallLatency/Worst-caseLatency is missing"),
        ("<Interval-max>32772", "<Interval-max>-1", "Interval-max is -1, less than 0"),
        ("<DSP>96</DSP>", "<DSP48E>96</DSP48E>", "element profile/AreaEstimates/Resources/DSP is missing"),
        ("<BRAM_18K>187", "<BRAM_18K>1e999", "BRAM_18K is '1e999', not a number"),
        ("<URAM>0", "<URAM>nan", "URAM is 'nan', not a number"),
        ("<Name>pot_linear_config2_s</Name>", "", "element Module/Name is missing"),
        ("<FF>6011</FF>", "", "element Module pot_linear_config2_s/AreaEstimates/Resources/FF is missing"),
        ("</profile>", "", "is damaged or no XML: no element found"),
        ("<profile>", "<report>", "is damaged or no XML: mismatched tag"),
    ],
)
def test_wrong_csynth(tmp_path: Path, old: str, new: str, message: str):
    assert message in refused(read_csynth, changed(tmp_path, CSYNTH, old, new))


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "is damaged or no XML"),
        ("<html></html>", "is no csynth.xml of Vitis HLS: its root is <html>"),
        ("<profile/>", "element profile/ReportVersion/Version is missing"),
        ('<!DOCTYPE p [<!ENTITY a SYSTEM "file:///etc/hostname">]><profile>&a;</profile>', "undefined entity"),
    ],
)
def test_xml_that_is_no_csynth(tmp_path: Path, content: str, message: str):
    (tmp_path / "csynth.xml").write_text(content)
    assert message in refused(read_csynth, tmp_path / "csynth.xml")


def test_every_truncation_of_csynth_is_refused(tmp_path: Path):
    whole, file = CSYNTH.read_text().rstrip(), tmp_path / "csynth.xml"
    for length in range(0, len(whole), 53):
        file.write_text(whole[:length])
        assert "is damaged or no XML" in refused(read_csynth, file)


@pytest.mark.parametrize(
    "source, old, new, message",
    [
        (ROUTED, r"\| Tool Version[^\n]*\n", "", "the version of Vivado is not known"),
        (ROUTED, r"Vivado v\.2023\.2", "Vivado", "the version of Vivado is not known"),
        (ROUTED, "report_utilization", "report_power", "no report of Vivado's report_utilization; it is of 'report_po"),
        (ROUTED, r"\| Command[^\n]*\n", "", "is no report of Vivado's report_utilization"),
        (ROUTED, r"\| Device[^\n]*\n", "", "line 'Device' is missing"),
        (ROUTED, "Slice LUTs", "Slice Things", "row 'Slice LUTs' or 'CLB LUTs' is missing"),
        (ROUTED, "Block RAM Tile", "Block RAM", "row 'Block RAM Tile' is missing"),
        (ROUTED, "38412", "many ", "row 'Slice LUTs' is 'many', not a number"),
        (ROUTED, r"\| DSPs .*", "| DSPs", "a table is damaged: '| DSPs'"),
        (ROUTED, r"1\. Slice Logic\n.*", "", "row 'Slice LUTs' or 'CLB LUTs' is missing"),
        (HIERARCHICAL, "DSP Blocks", "Multiplier", "column 'DSP Blocks' or 'DSP48 Blocks' or 'DSP Slices' is missing"),
        (HIERARCHICAL, " 4630 ", " 46?0 ", "'Total LUTs' of pot_linear_config2_U0 is '46?0', not a number"),
    ],
)
def test_wrong_utilization(tmp_path: Path, source: Path, old: str, new: str, message: str):
    assert message in refused(read_utilization, changed(tmp_path, source, old, new))


@pytest.mark.parametrize(
    "old, new, message",
    [
        (r"\| Tool Version[^\n]*\n", "", "the version of Vivado is not known"),
        ("report_timing_summary", "report_utilization", "no report of Vivado's report_timing_summary"),
        ("Design Timing Summary", "Design Summary", "section 'Design Timing Summary' is missing"),
        (r"    WNS\(ns\)", "    Slack  ", "section 'Design Timing Summary' is damaged"),
        (r"\n +-0.412[^\n]*", "", "WNS(ns) is 'Timing', not a number"),
        (r"\n +-0.412.*?(?=\n-{20})", "", "section 'Design Timing Summary' is damaged"),
        ("-0.412", "    NA", "no path was timed; constrain the clock"),
        ("-0.412", "-O.412", r"WNS(ns) is '-O.412', not a number"),
        ("Clock Summary", "Clocks", "section 'Clock Summary' is missing"),
        (r"\| Intra Clock Table", "| Clocks", "section 'Intra Clock Table' is missing"),
        (r"\}( +)10\.000", r"}\g<1>ten   ", "period of clock ap_clk is 'ten', not a number"),
        (r"(ap_clk +)-0.412", r"\g<1>11.412", "clock ap_clk has a slack of 11.412 ns in a period of 10.0 ns"),
        (r"(ap_clk +)-0.412", r"\g<1>      ", "no clock of 'Clock Summary' has a slack"),
        (r"\| Clock Summary.*", "", "section 'Intra Clock Table' is missing"),
    ],
)
def test_wrong_timing(tmp_path: Path, old: str, new: str, message: str):
    assert message in refused(read_timing, changed(tmp_path, TIMING, old, new))


def test_missing_files(tmp_path: Path):
    for read in (read_csynth, read_utilization, read_timing):
        assert "cannot be read: No such file" in refused(read, tmp_path / "none")
    assert "is not a folder" in refused(read_folder, tmp_path / "none")
    assert "holds no csynth.xml and no report_utilization" in refused(read_folder, tmp_path)


def test_two_reports_of_which_neither_is_the_later(tmp_path: Path):
    for name in ("a", "b"):
        shutil.copytree(PYNQ, tmp_path / name)
    assert "are both reports of C synthesis; give a folder with one" in refused(read_folder, tmp_path)
    (tmp_path / "a" / "csynth.xml").unlink()
    assert "vit_utilization_routed.rpt are of the same kind and step" in refused(read_folder, tmp_path)


def test_a_wrong_file_in_a_folder_is_not_left_out(tmp_path: Path):
    shutil.copytree(PYNQ, tmp_path / "all")
    file = changed(tmp_path / "all", SYNTHESIZED, "DSPs", "DSP?")
    with pytest.raises(InputError, match=f"{file}: row 'DSPs' or 'DSP Slices' is missing"):
        read_folder(tmp_path / "all")


def test_parts():
    pynq, kria = read_folder(PYNQ), read_folder(KRIA)
    for name in ("pynq-z2", "pynq-z1", "zybo-z7-20"):
        check_part(pynq, load_target(name))
    check_part(kria, load_target("kv260"))
    with pytest.raises(InputError, match=r"is of part xc7z020-clg400-1, the target kv260 has xck26-"):
        check_part(pynq, load_target("kv260"))
    with pytest.raises(InputError, match="is of part xck26-sfvc784-2LV-c, the target ultra96-v2 has xczu3eg"):
        check_part(kria, load_target("ultra96-v2"))
