#ifndef ATTENTION_SCORES_H_
#define ATTENTION_SCORES_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Scores of every query against every key, head by head.
//
// in:      q, k: n_tokens words of n_heads * head_dim activation codes
// out:     n_tokens words of n_heads * n_tokens score codes, word[h * n_tokens + key]
// storage: the keys of one picture, n_tokens * n_heads * head_dim codes
// cycles:  n_tokens * n_heads * n_tokens * head_dim products
//
// out[i][h][j] = requantize(sum_c q[i][h][c] * k[j][h][c], out_shift)

namespace nnet {

template <class q_T, class k_T, class res_T, typename CONFIG_T>
void attention_scores(hls::stream<q_T> &q_stream, hls::stream<k_T> &k_stream, hls::stream<res_T> &res_stream) {
    k_T keys[CONFIG_T::n_tokens];
STORE_KEYS:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
#pragma HLS PIPELINE II = 1
        keys[token] = k_stream.read();
    }
QUERIES:
    for (unsigned token = 0; token < CONFIG_T::n_tokens; token++) {
        const q_T q = q_stream.read();
        res_T res;
    HEADS:
        for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
        KEYS:
            for (unsigned key = 0; key < CONFIG_T::n_tokens; key++) {
                typename CONFIG_T::accum_t sum = 0;
            CHANNELS:
                for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                    const unsigned channel = head * CONFIG_T::head_dim + c;
                    sum += q[channel] * keys[key][channel];
                }
                res[head * CONFIG_T::n_tokens + key] =
                    requantize<typename res_T::value_type>(sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
            }
        }
        res_stream.write(res);
    }
}

} // namespace nnet

#endif
