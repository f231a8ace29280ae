#ifndef SIMULATION_AP_AXI_SDATA_H_
#define SIMULATION_AP_AXI_SDATA_H_

#include "ap_int.h"

// A beat of AXI4-Stream as Vitis HLS has it (UG1399), without the signals that no stream here has.

template <int D, int U, int TI, int TD> struct ap_axiu {
    static_assert(D % 8 == 0 && U == 0 && TI == 0 && TD == 0, "only TDATA, TKEEP, TSTRB and TLAST are simulated");
    ap_uint<D> data;
    ap_uint<D / 8> keep;
    ap_uint<D / 8> strb;
    ap_uint<1> last;
};

#endif
