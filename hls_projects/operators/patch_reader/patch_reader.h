#ifndef PATCH_READER_H_
#define PATCH_READER_H_

#include "hls_stream.h"

// Pixels in raster order to patches, each pixel normalized through a table.
//
// in:      image_size * image_size words of n_channels uint8 values, row by row
// out:     (image_size / patch_size)^2 words of patch_size * patch_size * n_channels codes, in blocks
//          of block_height * block_width patches; blocks row by row, patches of a block row by row
// table:   table[channel * 256 + value]
// storage: the rows of patches that a block spans, block_height * image_size * patch_size * n_channels
//          codes
// cycles:  none beside those of its words: a pixel is read or a patch written in each

namespace nnet {

template <class x_T, class res_T, typename CONFIG_T>
void patch_reader(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                  typename CONFIG_T::table_t table[CONFIG_T::n_channels * 256]) {
    const unsigned grid_size = CONFIG_T::image_size / CONFIG_T::patch_size;
BLOCK_ROWS:
    for (unsigned block_row = 0; block_row < grid_size / CONFIG_T::block_height; block_row++) {
        res_T patches[CONFIG_T::block_height * grid_size];
    PIXEL_ROWS:
        for (unsigned row = 0; row < CONFIG_T::block_height * CONFIG_T::patch_size; row++) {
        PIXELS:
            for (unsigned column = 0; column < CONFIG_T::image_size; column++) {
#pragma HLS PIPELINE II = 1
                const x_T pixel = x_stream.read();
                const unsigned patch = row / CONFIG_T::patch_size * grid_size + column / CONFIG_T::patch_size;
                const unsigned place =
                    row % CONFIG_T::patch_size * CONFIG_T::patch_size + column % CONFIG_T::patch_size;
            CHANNELS:
                for (unsigned c = 0; c < CONFIG_T::n_channels; c++) {
#pragma HLS UNROLL
                    patches[patch][place * CONFIG_T::n_channels + c] = table[c * 256 + unsigned(pixel[c])];
                }
            }
        }
    BLOCKS:
        for (unsigned block = 0; block < grid_size / CONFIG_T::block_width; block++) {
        ROWS:
            for (unsigned row = 0; row < CONFIG_T::block_height; row++) {
            WRITE_PATCHES:
                for (unsigned column = 0; column < CONFIG_T::block_width; column++) {
#pragma HLS PIPELINE II = 1
                    res_stream.write(patches[row * grid_size + block * CONFIG_T::block_width + column]);
                }
            }
        }
    }
}

} // namespace nnet

#endif
