#ifndef PATCH_READER_H_
#define PATCH_READER_H_

#include "blocks.h"

// Pixels in raster order to patches, each pixel normalized through a table.
//
// in:      image_size * image_size words of n_channels uint8 values, row by row
// out:     (image_size / patch_size)^2 patches of patch_size * patch_size * n_channels codes, an element
//          a word, in blocks of block_height * block_width patches; blocks row by row, patches of a block
//          row by row
// table:   table[channel * 256 + value]
// storage: twice the rows of patches that a block spans, block_height * image_size * patch_size *
//          n_channels codes
// cycles:  read image_size * image_size; write as many times n_channels. They work on different rows.

namespace nnet {

template <typename CONFIG_T> struct patch_rows {
    static const unsigned grid_size = CONFIG_T::image_size / CONFIG_T::patch_size;
    static const unsigned patch_elements = CONFIG_T::patch_size * CONFIG_T::patch_size * CONFIG_T::n_channels;
    static const unsigned count = grid_size / CONFIG_T::block_height;
    static const unsigned elements = CONFIG_T::block_height * grid_size * patch_elements;
};

template <class x_T, class code_T, typename CONFIG_T>
void read_patch_rows(hls::stream<x_T> &x_stream,
                     hls::stream_of_blocks<code_T[patch_rows<CONFIG_T>::elements]> &rows,
                     typename CONFIG_T::table_t table[CONFIG_T::n_channels * 256]) {
BLOCK_ROWS:
    for (unsigned block_row = 0; block_row < patch_rows<CONFIG_T>::count; block_row++) {
        hls::write_lock<code_T[patch_rows<CONFIG_T>::elements]> patches(rows);
    PIXEL_ROWS:
        for (unsigned row = 0; row < CONFIG_T::block_height * CONFIG_T::patch_size; row++) {
        PIXELS:
            for (unsigned column = 0; column < CONFIG_T::image_size; column++) {
#pragma HLS PIPELINE II = 1
                const x_T pixel = x_stream.read();
                const unsigned patch =
                    row / CONFIG_T::patch_size * patch_rows<CONFIG_T>::grid_size + column / CONFIG_T::patch_size;
                const unsigned place =
                    row % CONFIG_T::patch_size * CONFIG_T::patch_size + column % CONFIG_T::patch_size;
            CHANNELS:
                for (unsigned c = 0; c < CONFIG_T::n_channels; c++) {
#pragma HLS UNROLL
                    patches[patch * patch_rows<CONFIG_T>::patch_elements + place * CONFIG_T::n_channels + c] =
                        table[c * 256 + unsigned(pixel[c])];
                }
            }
        }
    }
}

template <class res_T, typename CONFIG_T>
void write_patch_rows(hls::stream_of_blocks<typename res_T::value_type[patch_rows<CONFIG_T>::elements]> &rows,
                      hls::stream<res_T> &res_stream) {
BLOCK_ROWS:
    for (unsigned block_row = 0; block_row < patch_rows<CONFIG_T>::count; block_row++) {
        hls::read_lock<typename res_T::value_type[patch_rows<CONFIG_T>::elements]> patches(rows);
    BLOCKS:
        for (unsigned block = 0; block < patch_rows<CONFIG_T>::grid_size / CONFIG_T::block_width; block++) {
        ROWS:
            for (unsigned row = 0; row < CONFIG_T::block_height; row++) {
                // The patches of a row of a block follow each other.
                const unsigned first = row * patch_rows<CONFIG_T>::grid_size + block * CONFIG_T::block_width;
            ELEMENTS:
                for (unsigned k = 0; k < CONFIG_T::block_width * patch_rows<CONFIG_T>::patch_elements; k++) {
#pragma HLS PIPELINE II = 1
                    res_T res;
                    res[0] = patches[first * patch_rows<CONFIG_T>::patch_elements + k];
                    res_stream.write(res);
                }
            }
        }
    }
}

template <class x_T, class res_T, typename CONFIG_T>
void patch_reader(hls::stream<x_T> &x_stream, hls::stream<res_T> &res_stream,
                  typename CONFIG_T::table_t table[CONFIG_T::n_channels * 256]) {
#pragma HLS DATAFLOW
    typedef typename res_T::value_type code_t;
    hls::stream_of_blocks<code_t[patch_rows<CONFIG_T>::elements]> rows;
    PIPELINE_PROCESS(read_patch_rows<x_T, code_t, CONFIG_T>(x_stream, rows, table));
    PIPELINE_PROCESS(write_patch_rows<res_T, CONFIG_T>(rows, res_stream));
}

} // namespace nnet

#endif
