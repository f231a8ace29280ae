#ifndef ACTIVATION_TABLE_H_
#define ACTIVATION_TABLE_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Any function of one code, from a table.
//
// in:      n_tokens tokens of n_in activation codes, an element a word
// out:     n_tokens tokens of n_in activation codes, an element a word
// table:   table[code - lowest code]
// storage: the table
// cycles:  n_tokens * n_in

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
