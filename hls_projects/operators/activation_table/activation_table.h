#ifndef ACTIVATION_TABLE_H_
#define ACTIVATION_TABLE_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Any function of one code, from a table.
//
// in:      n_tokens words of n_in activation codes
// out:     n_tokens words of n_in activation codes
// table:   table[code - lowest code]
// storage: the table, one word in, one word out
// cycles:  n_tokens * n_in

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void activation_table(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                      typename CONFIG_T::table_t table[CONFIG_T::n_codes]) {
TOKENS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const x_T x = x_stream.read();
        res_T res;
    CHANNELS:
        for (unsigned k = 0; k < CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
            res[k] = table[unsigned(x[k] - integer_traits<typename x_T::value_type>::lowest())];
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
