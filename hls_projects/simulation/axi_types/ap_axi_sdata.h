#ifndef SIMULATION_AP_AXI_SDATA_H_
#define SIMULATION_AP_AXI_SDATA_H_

#include "ap_int.h"

// Stand-in for the header of Vitis HLS (UG1399): a beat of AXI4-Stream.
//
// D: bits of TDATA, a multiple of 8. U, TI, TD: bits of TUSER, TID and TDEST, of which no stream here has any.
//
// data: TDATA. keep, strb: TKEEP and TSTRB, a bit for each byte. last: TLAST, 1 on the last beat of a packet.

template <int D, int U, int TI, int TD> struct ap_axiu {
    static_assert(D % 8 == 0 && U == 0 && TI == 0 && TD == 0, "only TDATA, TKEEP, TSTRB and TLAST are simulated");
    ap_uint<D> data;
    ap_uint<D / 8> keep;
    ap_uint<D / 8> strb;
    ap_uint<1> last;
};

#endif
