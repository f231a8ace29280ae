#ifndef WINDOW_H_
#define WINDOW_H_

#include "blocks.h"

// Windows of attention: the keys (or values) that the queries of a tile see are the last n_window that arrived.
//
// load_size keys arrive before each tile of tile_size queries. Windowed attention has load_size == tile_size. Global
// attention has load_size == n_window == n_tokens: all keys arrive before the first tile and serve all tiles. After n
// keys have arrived, slot s of the window holds key n - n_window + s; slots of a negative key are empty.
//
// CONFIG_T of the attention kernels has
//   n_tokens:  tokens of an image
//   tile_size: queries that share a window
//   load_size: keys that arrive at a time, a divisor of n_tokens and of n_window
//   n_window:  slots of a window

namespace nnet {

// count: windows an image. queries: tokens that each of them serves.
template <typename CONFIG_T> struct window_blocks {
    static const unsigned count = CONFIG_T::n_tokens / CONFIG_T::load_size;
    static const unsigned queries = CONFIG_T::load_size == CONFIG_T::n_tokens ? CONFIG_T::n_tokens : CONFIG_T::tile_size;
};

// The first slot of the window `index` that holds a key. Windows at the beginning of an image have empty slots before
// it, since fewer than n_window keys have arrived.
template <typename CONFIG_T> unsigned first_slot(unsigned index) {
#pragma HLS INLINE
    const unsigned arrived = (index + 1) * CONFIG_T::load_size;
    return arrived < CONFIG_T::n_window ? CONFIG_T::n_window - arrived : 0;
}

// Builds a block with the whole window for every load_size keys that arrive.
//
// Neighbouring windows overlap. The overlap is stored as n_context loads of load_size keys. While an element of a new
// key arrives, the elements at the same offset of all stored loads are copied into the new window in the same cycle,
// and every load moves by one towards the oldest. So a new window takes no longer than its new keys.
//
// n_channels: elements of a key, of all heads
// by_slot:    layout of a block: the elements of a slot are contiguous (true), or those of a channel (false)
// stream:     n_tokens keys of n_channels elements, one element a word
// blocks:     window_blocks<CONFIG_T>::count blocks of n_window * n_channels elements; empty slots are 0
// II:         1
// cycles:     n_tokens * n_channels
// storage:    the two buffers of `blocks`, and n_window * n_channels elements of context, the newest tile included
template <unsigned n_channels, bool by_slot, typename CONFIG_T, class word_T>
void load_windows(hls::stream<word_T> &stream,
                  hls::stream_of_blocks<typename word_T::value_type[CONFIG_T::n_window * n_channels]> &blocks) {
    typedef typename word_T::value_type key_t;
    const unsigned n_context = CONFIG_T::n_window / CONFIG_T::load_size - 1; // tiles of overlap
    const unsigned n_new = CONFIG_T::load_size * n_channels;
    key_t context[n_context + 1][n_new]; // oldest tile first; the last one is that which arrives
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
                    // A load of the context is valid only after its keys of this image have arrived.
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
