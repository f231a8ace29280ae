#ifndef PATCH_READER_H_
#define PATCH_READER_H_

#include "blocks.h"

// Rearranges the pixels of an image from raster order into patches, and normalizes and quantizes each through a table.
//
// Patches leave in blocks of block_height * block_width patches: blocks row by row, the patches of a block row by row.
// A block of one whole row of patches is plain raster order of patches.
//
// Two processes work on different rows of blocks at the same time: read_patch_rows stores the rows of pixels that a
// row of blocks spans, write_patch_rows sends the rows stored before.
//
// x_T:        a pixel, an nnet::array of n_channels uint8 values
// res_T:      word of the output, one code
// CONFIG_T:   image_size, patch_size: side of an image and of a patch in pixels, patch_size divides image_size;
//             n_channels: values of a pixel; block_height, block_width: sides of a block in patches, which divide
//             image_size / patch_size; table_t: an entry of the table
// x_stream:   image_size * image_size pixels, row by row
// res_stream: (image_size / patch_size)^2 patches of patch_size * patch_size * n_channels codes
// table:      the code of every value of a channel, table[channel * 256 + value]
// II:         1 in both processes
// cycles:     image_size * image_size to read, n_channels times as many to write
// storage:    two buffers of block_height * patch_size rows of pixels, and the table

namespace nnet {

// Sizes of a row of blocks, which is what the two processes hand over.
template <typename CONFIG_T> struct patch_rows {
    // Patches in a row of the image.
    static const unsigned grid_size = CONFIG_T::image_size / CONFIG_T::patch_size;
    static const unsigned patch_elements = CONFIG_T::patch_size * CONFIG_T::patch_size * CONFIG_T::n_channels;
    // Rows of blocks, and the codes of one.
    static const unsigned count = grid_size / CONFIG_T::block_height;
    static const unsigned elements = CONFIG_T::block_height * grid_size * patch_elements;
};

// Stores pixels in the order of patches. All channels of a pixel are stored in one iteration, at contiguous indices.
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

// Sends the patches of a row of blocks, block by block, one code a cycle.
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
                // The patches of one row of a block are contiguous in the buffer.
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
