#ifndef AXI_TOP_H_
#define AXI_TOP_H_

#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

// The processes between AXI4-Stream and the network: of the top level that goes onto a board.
//
// A packet in is an image: uint8 pixels row by row, a pixel's channels one after the other, eight bytes a beat,
// the first in bits 7 to 0; every beat full (TKEEP all ones), TLAST on the last beat and on no other.
//
// A packet out is an image's result: 32-bit words, two a beat, the first in bits 31 to 0: the logits' codes, signed;
// the class, the first of the largest logits; the number of the packet that the image came in, from 0 and with the
// wrong ones counted, so that a host sees that one was dropped; a word of 0 where the beat would not be full.
//
// A wrong packet costs a run through the network, not a block RAM to hold an image until its end is seen: receive()
// ends it with zeros, and send() drops what comes of it. The next packet begins at the beat after TLAST; after a
// image's last beat without TLAST, at the next beat. So a packet that is too long is dropped and what follows its
// TLAST is right, and an image whose TLAST was lost does not take the next one with it.

namespace board {

typedef ap_axiu<64, 0, 0, 0> beat_t;
typedef ap_uint<64> bytes_t;
typedef ap_uint<1> flag_t;
typedef unsigned count_t; // 32 bits

static const unsigned beat_bits = 64;
static const unsigned full_beat = 0xff;

// A packet to n_beats words and a flag that says whether it was an image.
//
// images_in:   images so far. wrong_packets: packets so far that were none; all beats up to a TLAST are one
//                packet, but for an image in whose place the beats after a lost TLAST are.
// cycles:        cycles of the loop, which takes one for a word and one for every wait; the few between two packets
//                are not in it. starved: of these without a beat. backpressured: of these without room for one.
//
// Counters wrap at 2^32. In C-simulation the cycles are turns of the loop: no time passes there, and streams without
// a bound are never full, so that starved and backpressured say something only where the callers are threads
// (bounded_types), and even there not how long a wait was. What they are worth in clocks, C/RTL co-simulation shows.
template <unsigned n_beats>
void receive(hls::stream<beat_t> &images, hls::stream<bytes_t> &beats, hls::stream<flag_t> &whole,
             count_t &images_in, count_t &wrong_packets, count_t &cycles, count_t &starved, count_t &backpressured) {
    static count_t n_images = 0, n_wrong = 0, n_cycles = 0, n_starved = 0, n_backpressured = 0;
    static bool is_open = false; // the packet before has not come to its TLAST
#pragma HLS RESET variable=n_images
#pragma HLS RESET variable=n_wrong
#pragma HLS RESET variable=n_cycles
#pragma HLS RESET variable=n_starved
#pragma HLS RESET variable=n_backpressured
#pragma HLS RESET variable=is_open
    bool ended = false, early = false, full = true;
BEATS:
    for (unsigned n_sent = 0; n_sent < n_beats;) {
#pragma HLS PIPELINE II = 1
#pragma HLS LOOP_TRIPCOUNT min=n_beats max=n_beats
        beat_t beat;
        n_cycles++;
        if (beats.full()) {
            n_backpressured++;
        } else if (ended) {
            beats.write(0);
            early = true;
            n_sent++;
        } else if (images.read_nb(beat)) {
            beats.write(beat.data);
            ended = beat.last == 1;
            full = full && beat.keep == full_beat;
            n_sent++;
        } else {
            n_starved++;
        }
        cycles = n_cycles;
        starved = n_starved;
        backpressured = n_backpressured;
    }
    const bool is_image = ended && !early && full;
    whole.write(is_image);
    if (is_image)
        n_images++;
    else if (!is_open)
        n_wrong++;
    is_open = !ended;
    images_in = n_images;
    wrong_packets = n_wrong;
}

// Eight bytes a word to a pixel a word.
// cycles: n_pixels
template <unsigned n_pixels, class pixel_T>
void unpack(hls::stream<bytes_t> &beats, hls::stream<pixel_T> &pixels) {
    static const unsigned pixel_bits = 8 * pixel_T::size;
    typedef ap_uint<beat_bits + pixel_bits> held_t;
    held_t held = 0; // the next pixel lowest
    unsigned n_held = 0;
PIXELS:
    for (unsigned i = 0; i < n_pixels; i++) {
#pragma HLS PIPELINE II = 1
        if (n_held < pixel_bits) {
            held = held | held_t(held_t(beats.read()) << n_held);
            n_held += beat_bits;
        }
        pixel_T pixel;
    CHANNELS:
        for (unsigned c = 0; c < pixel_T::size; c++) {
#pragma HLS UNROLL
            pixel[c] = typename pixel_T::value_type(held >> (8 * c));
        }
        pixels.write(pixel);
        held = held >> pixel_bits;
        n_held -= pixel_bits;
    }
}

template <class logits_T> struct result_packet {
    static const unsigned n_beats = (logits_T::size + 3) / 2;
};

// An image's logits to a packet, where the image was whole.
// cycles: logits_T::size + n_beats
template <class logits_T>
void send(hls::stream<logits_T> &logits, hls::stream<flag_t> &whole, hls::stream<beat_t> &results,
          count_t &images_out) {
    static const unsigned n_beats = result_packet<logits_T>::n_beats;
    static count_t n_packets = 0, n_sent = 0;
#pragma HLS RESET variable=n_packets
#pragma HLS RESET variable=n_sent
    const logits_T codes = logits.read();
    const bool is_image = whole.read() == 1;
    ap_uint<32> words[2 * n_beats];
#pragma HLS ARRAY_PARTITION variable=words complete
    unsigned best = 0;
    typename logits_T::value_type highest = codes[0];
LOGITS:
    for (unsigned n = 0; n < logits_T::size; n++) {
#pragma HLS PIPELINE II = 1
        words[n] = ap_uint<32>(ap_int<32>(codes[n]));
        if (codes[n] > highest) {
            highest = codes[n];
            best = n;
        }
    }
    words[2 * n_beats - 1] = 0;
    words[logits_T::size] = best;
    words[logits_T::size + 1] = n_packets;
    n_packets++;
    if (is_image) {
    BEATS:
        for (unsigned n = 0; n < n_beats; n++) {
#pragma HLS PIPELINE II = 1
            beat_t beat;
            beat.data = bytes_t(words[2 * n]) | bytes_t(bytes_t(words[2 * n + 1]) << 32);
            beat.keep = full_beat;
            beat.strb = full_beat;
            beat.last = n == n_beats - 1;
            results.write(beat);
        }
        n_sent++;
    }
    images_out = n_sent;
}

} // namespace board

#endif
