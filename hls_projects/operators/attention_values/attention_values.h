#ifndef ATTENTION_VALUES_H_
#define ATTENTION_VALUES_H_

#include "fixed_point.h"
#include "hls_stream.h"

// The last n_window values weighted by the attention probabilities, tile by tile of queries, head by head.
//
// in:      p: n_tokens words of n_heads * n_window probability codes, word[h * n_window + slot]
//          v: n_tokens words of n_heads * head_dim activation codes
// out:     n_tokens words of n_heads * head_dim activation codes
// storage: a ring of n_window * n_heads * head_dim value codes; n_window probability codes; head_dim sums
// cycles:  n_tokens * n_heads * (n_window + head_dim * (n_window + 2)), less head_dim - 1 for every slot
//          without a key
//
// Before a tile of tile_size queries load_size values arrive and overwrite the oldest. Windowed
// attention has load_size == tile_size. Global attention has load_size == n_window == n_tokens: all
// values arrive before the first tile, and the last tile may be shorter. When n values have arrived,
// slot s has key n - n_window + s; slots before the first key are ignored.
//
// out[i][h][c] = requantize(sum_s p[i][h][s] * v[key][h][c], out_shift)

namespace nnet {

template <class p_T, class v_T, class res_T, typename CONFIG_T>
void attention_values(hls::stream<p_T> &p_stream, hls::stream<v_T> &v_stream, hls::stream<res_T> &res_stream) {
    const unsigned n_tiles = (CONFIG_T::n_tokens + CONFIG_T::tile_size - 1) / CONFIG_T::tile_size;
    v_T values[CONFIG_T::n_window];
    unsigned oldest = 0;
    unsigned arrived = 0;
TILES:
    for (unsigned tile = 0; tile < n_tiles; tile++) {
        if (arrived < CONFIG_T::n_tokens) {
        STORE_VALUES:
            for (unsigned key = 0; key < CONFIG_T::load_size; key++) {
#pragma HLS PIPELINE II = 1
                values[oldest] = v_stream.read();
                oldest = oldest + 1 == CONFIG_T::n_window ? 0 : oldest + 1;
            }
            arrived += CONFIG_T::load_size;
        }
    QUERIES:
        for (unsigned query = 0; query < CONFIG_T::tile_size; query++) {
            if (tile * CONFIG_T::tile_size + query < CONFIG_T::n_tokens) {
                const p_T p = p_stream.read();
                res_T res;
            HEADS:
                for (unsigned head = 0; head < CONFIG_T::n_heads; head++) {
                    typename p_T::value_type weights[CONFIG_T::n_window];
                // In the order of the ring, so that the products are a plain loop over it.
                ALIGN:
                    for (unsigned slot = 0; slot < CONFIG_T::n_window; slot++) {
#pragma HLS PIPELINE II = 1
                        const unsigned place = oldest + slot;
                        weights[place < CONFIG_T::n_window ? place : place - CONFIG_T::n_window] =
                            p[head * CONFIG_T::n_window + slot];
                    }
                    typename CONFIG_T::accum_t sums[CONFIG_T::head_dim];
                CLEAR:
                    for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                        sums[c] = 0;
                    }
                PLACES:
                    for (unsigned place = 0; place < CONFIG_T::n_window; place++) {
                        // A ring that is not full yet has its values in the first places.
                        if (place < arrived) {
                        // Channels inside: no sum waits for its own last addition.
                        CHANNELS:
                            for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                                sums[c] += weights[place] * values[place][head * CONFIG_T::head_dim + c];
                            }
                        }
                    }
                WRITE:
                    for (unsigned c = 0; c < CONFIG_T::head_dim; c++) {
#pragma HLS PIPELINE II = 1
                        res[head * CONFIG_T::head_dim + c] = requantize<typename res_T::value_type>(
                            sums[c], typename CONFIG_T::shift_t(CONFIG_T::out_shift));
                    }
                }
                res_stream.write(res);
            }
        }
    }
}

} // namespace nnet

#endif
