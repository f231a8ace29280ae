#ifndef ACTIVATION_TABLE_H_
#define ACTIVATION_TABLE_H_

#include "fixed_point.h"
#include "hls_stream.h"

// An element-wise function of one code, such as GELU with its quantizers, looked up in a table.
//
// x_T, res_T: words of the streams, one code each
// CONFIG_T:   n_tokens, n_in: sizes; n_codes: codes of the input's type; table_t: an entry
// x_stream:   n_tokens tokens of n_in codes
// res_stream: n_tokens tokens of n_in codes
// table:      the result for every code, the lowest code first
// II:         1
// cycles:     n_tokens * n_in
// storage:    the table, n_codes entries

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void activation_table(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                      typename CONFIG_T::table_t table[CONFIG_T::n_codes]) {
ELEMENTS:
    for (unsigned k = 0; k < CONFIG_T::n_tokens * CONFIG_T::n_in; k++) {
#pragma HLS PIPELINE II = 1
        const typename x_T::value_type x = x_stream.read()[0];
        res_T res;
        res[0] = table[unsigned(x - integer_traits<typename x_T::value_type>::lowest())];
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
