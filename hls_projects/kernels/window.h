#ifndef WINDOW_H_
#define WINDOW_H_

#include "blocks.h"

// The keys (or values) that the queries of a tile see: the last n_window that have arrived.
//
// Before a tile of tile_size queries load_size keys arrive. Windowed attention has load_size ==
// tile_size. Global attention has load_size == n_window == n_tokens: all keys arrive before the first
// tile, and serve all of them. When n keys have arrived, slot s has key n - n_window + s.

namespace nnet {

// How many blocks of keys an image makes, and how many queries each of them serves.
template <typename CONFIG_T> struct window_blocks {
    static const unsigned count = CONFIG_T::n_tokens / CONFIG_T::load_size;
    static const unsigned queries = CONFIG_T::load_size == CONFIG_T::n_tokens ? CONFIG_T::n_tokens : CONFIG_T::tile_size;
};

// Slots of the block `index` that come before the first key.
template <typename CONFIG_T> unsigned first_slot(unsigned index) {
#pragma HLS INLINE
    const unsigned arrived = (index + 1) * CONFIG_T::load_size;
    return arrived < CONFIG_T::n_window ? CONFIG_T::n_window - arrived : 0;
}

// Keys to blocks of whole windows. What a window shares with the one before is copied beside the new
// keys, an element of every tile at a time. by_slot: the elements of a slot follow each other, else those
// of a channel do.
// cycles: n_tokens * n_channels
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
            TILES:
                for (unsigned tile = 0; tile < n_context + 1; tile++) {
#pragma HLS UNROLL
                    const bool empty = tile + index < n_context;
                    const key_t value = empty ? key_t(0) : context[tile][key * n_channels + c];
                    const unsigned slot = tile * CONFIG_T::load_size + key;
                    block[by_slot ? slot * n_channels + c : c * CONFIG_T::n_window + slot] = value;
                    if (tile != 0)
                        context[tile - 1][key * n_channels + c] = value;
                }
            }
        }
    }
}

} // namespace nnet

#endif
