#ifndef ATTENTION_VALUES_H_
#define ATTENTION_VALUES_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Values weighted by the attention probabilities, head by head.
//
// in:      p: n_tokens words of n_heads * n_tokens probability codes, word[h * n_tokens + key]
//          v: n_tokens words of n_heads * head_dim activation codes
// out:     n_tokens words of n_heads * head_dim activation codes
// storage: the values of one picture, n_tokens * n_heads * head_dim codes; head_dim sums
// cycles:  n_tokens * n_heads * head_dim * (n_tokens + 2)
//
// out[i][h][c] = requantize(sum_j p[i][h][j] * v[j][h][c], out_shift)

namespace nnet {

template <class p_T, class v_T, class res_T, typename CONFIG_T>
void attention_values(hls::stream<p_T> &p_stream, hls::stream<v_T> &v_stream, hls::stream<res_T> &res_stream) {
    v_T values[CONFIG_T::n_tokens];
STORE_VALUES:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
#pragma HLS PIPELINE II = 1
        values[token] = v_stream.read();
    }
QUERIES:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const p_T p = p_stream.read();
        res_T res;
    HEADS:
        for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
            typename CONFIG_T::accum_t sums[CONFIG_T::head_dim];
        CLEAR:
            for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                sums[c] = 0;
            }
        KEYS:
            for (unsigned key = 0; key < CONFIG_T::n_tokens; key++) {
            // Channels inside: no sum waits for its own last addition.
            CHANNELS:
                for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                    sums[c] += p[head * CONFIG_T::n_tokens + key] * values[key][head * CONFIG_T::head_dim + c];
                }
            }
        WRITE:
            for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                res[head * CONFIG_T::head_dim + c] =
                    requantize<typename res_T::value_type>(sums[c], typename CONFIG_T::shift_t(CONFIG_T::out_shift));
            }
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
