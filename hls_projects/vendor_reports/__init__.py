"""What the vendor's tools report of a design: ``csynth.xml`` of Vitis HLS, utilization and timing of Vivado.

No tool is run here. Figures keep the name and the version of the tool that gave them.
"""

from hls_projects.vendor_reports.csynth import read_csynth
from hls_projects.vendor_reports.folder import check_part, read_folder
from hls_projects.vendor_reports.records import MEASURED, Clock, CSynthesis, Module, Timing, Utilization, VendorReports
from hls_projects.vendor_reports.vivado import read_timing, read_utilization

__all__ = [
    "MEASURED",
    "CSynthesis",
    "Clock",
    "Module",
    "Timing",
    "Utilization",
    "VendorReports",
    "check_part",
    "read_csynth",
    "read_folder",
    "read_timing",
    "read_utilization",
]
