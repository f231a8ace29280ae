#ifndef ATTENTION_SCORES_H_
#define ATTENTION_SCORES_H_

#include "fixed_point.h"
#include "hls_stream.h"

// Scores of every query against the last n_window keys, tile by tile of queries, head by head.
//
// in:      q, k: n_tokens words of n_heads * head_dim activation codes
// out:     n_tokens words of n_heads * n_window score codes, word[h * n_window + slot]
// storage: a ring of n_window * n_heads * head_dim key codes
// cycles:  n_tokens * n_heads * n_window * head_dim, less head_dim - 1 for every slot without a key
//
// Before a tile of tile_size queries load_size keys arrive and overwrite the oldest. Windowed
// attention has load_size == tile_size. Global attention has load_size == n_window == n_tokens: all
// keys arrive before the first tile, and the last tile may be shorter. When n keys have arrived, slot
// s has key n - n_window + s; slots before the first key are 0.
//
// out[i][h][s] = requantize(sum_c q[i][h][c] * k[key][h][c], out_shift)

namespace nnet {

template <class q_T, class k_T, class res_T, typename CONFIG_T>
void attention_scores(hls::stream<q_T> &q_stream, hls::stream<k_T> &k_stream, hls::stream<res_T> &res_stream) {
    const unsigned n_tiles = (CONFIG_T::n_tokens + CONFIG_T::tile_size - 1) / CONFIG_T::tile_size;
    k_T keys[CONFIG_T::n_window];
    unsigned oldest = 0;
    unsigned arrived = 0;
TILES:
    for (unsigned tile = 0; tile < n_tiles; tile++) {
        if (arrived < CONFIG_T::n_tokens) {
        STORE_KEYS:
            for (unsigned key = 0; key < CONFIG_T::load_size; key++) {
#pragma HLS PIPELINE II = 1
                keys[oldest] = k_stream.read();
                oldest = oldest + 1 == CONFIG_T::n_window ? 0 : oldest + 1;
            }
            arrived += CONFIG_T::load_size;
        }
    QUERIES:
        for (unsigned query = 0; query < CONFIG_T::tile_size; query++) {
            if (tile * CONFIG_T::tile_size + query < CONFIG_T::n_tokens) {
                const q_T q = q_stream.read();
                res_T res;
            HEADS:
                for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
                PLACES:
                    for (unsigned place = 0; place < CONFIG_T::n_window; place++) {
                        typename CONFIG_T::accum_t sum = 0;
                        // A ring that is not full yet has its keys in the first places.
                        if (place < arrived) {
                        CHANNELS:
                            for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                                const unsigned channel = head * CONFIG_T::head_dim + c;
                                sum += q[channel] * keys[place][channel];
                            }
                        }
                        const unsigned slot = place < oldest ? place + CONFIG_T::n_window - oldest : place - oldest;
                        res[head * CONFIG_T::n_window + slot] = requantize<typename res_T::value_type>(
                            sum, typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                    }
                }
                res_stream.write(res);
            }
        }
    }
}

} // namespace nnet

#endif
