#ifndef WINDOW_H_
#define WINDOW_H_

#include "blocks.h"

// The window of a query: the keys (or values) that it sees, which are the last n_window that have arrived.
//
// config:  n_tokens queries and keys of an image; tile_size queries that are served without new keys; load_size keys
//          that arrive before them, a divisor of n_tokens and n_window; n_window slots
//
// Windowed attention has load_size == tile_size: each tile of queries brings its own keys. Global attention has
// load_size == n_window == n_tokens: all keys arrive before the first query and serve all queries. When n keys have
// arrived, slot s has key n - n_window + s, or none where that is negative.

namespace nnet {

// Windows of an image (count), and queries that each of them serves (queries).
template <typename CONFIG_T> struct window_blocks {
    static const unsigned count = CONFIG_T::n_tokens / CONFIG_T::load_size;
    static const unsigned queries = CONFIG_T::load_size == CONFIG_T::n_tokens ? CONFIG_T::n_tokens : CONFIG_T::tile_size;
};

// First slot of the window `index` of an image that has a key.
template <typename CONFIG_T> unsigned first_slot(unsigned index) {
#pragma HLS INLINE
    const unsigned arrived = (index + 1) * CONFIG_T::load_size;
    return arrived < CONFIG_T::n_window ? CONFIG_T::n_window - arrived : 0;
}

// Keys to blocks of whole windows. A window shares all but its last load_size keys with the one before; these are
// copied beside the new keys, from a copy of the last loads, an element of every load at a time. Slots without a key
// are 0.
// n_channels: codes of a key, all heads
// by_slot:    order of a block: codes of a slot follow each other, else the codes of a channel do
// storage:    context: n_window / load_size loads of codes, of which the last one has the code just read
// cycles:     n_tokens * n_channels; II of 1 a code
template <unsigned n_channels, bool by_slot, typename CONFIG_T, class word_T>
void load_windows(hls::stream<word_T> &stream,
                  hls::stream_of_blocks<typename word_T::value_type[CONFIG_T::n_window * n_channels]> &blocks) {
    typedef typename word_T::value_type key_t;
    const unsigned n_context = CONFIG_T::n_window / CONFIG_T::load_size - 1;
    const unsigned n_new = CONFIG_T::load_size * n_channels;
    key_t context[n_context + 1][n_new];
BLOCKS:
    for (unsigned index = 0; index < window_blocks<CONFIG_T>::count; index++) {
        hls::write_lock<key_t[CONFIG_T::n_window * n_channels]> block(blocks);
    KEYS:
        for (unsigned key = 0; key < CONFIG_T::load_size; key++) {
        CHANNELS:
            for (unsigned c = 0; c < n_channels; c++) {
#pragma HLS PIPELINE II = 1
                context[n_context][key * n_channels + c] = stream.read()[0];
            LOADS:
                for (unsigned load = 0; load < n_context + 1; load++) {
#pragma HLS UNROLL
                    const bool empty = load + index < n_context;
                    const key_t value = empty ? key_t(0) : context[load][key * n_channels + c];
                    const unsigned slot = load * CONFIG_T::load_size + key;
                    block[by_slot ? slot * n_channels + c : c * CONFIG_T::n_window + slot] = value;
                    if (load != 0)
                        context[load - 1][key * n_channels + c] = value;
                }
            }
        }
    }
}

} // namespace nnet

#endif
