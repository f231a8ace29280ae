#ifndef AXI_TOP_H_
#define AXI_TOP_H_

#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

// The processes between AXI4-Stream and the network in the top level that goes onto a board:
//
//   images -> receive -> unpack -> network -> send -> results
//                \----------- whole -----------/
//
// A packet on `images` is an image: uint8 pixels row by row, the channels of a pixel one after another, eight bytes a
// beat, the first in bits 7 to 0. Every beat is full (TKEEP all ones); TLAST is on the last beat and on no other.
//
// A packet on `results` is the result of an image in 32-bit words, two a beat, the first in bits 31 to 0:
//   the codes of the logits, signed;
//   the class, which is the first of the largest logits;
//   the number of the packet that the image came in, from 0. Wrong packets count, so a host sees that one was dropped;
//   a word of 0 where the last beat would not be full.
//
// Whether a packet is an image is known only at its end. It is not stored until then, which would take block RAM:
// a wrong packet runs through the network, completed with zeros by receive(), and send() drops its result. The next
// packet begins at the beat after TLAST or, after the last beat of an image without TLAST, at the next beat. So a
// packet that is too long is dropped and the one after its TLAST is right, and an image whose TLAST was lost does not
// take the next image with it.

namespace board {

typedef ap_axiu<64, 0, 0, 0> beat_t; // a beat of either AXI4-Stream
typedef ap_uint<64> bytes_t;         // the data of a beat
typedef ap_uint<1> flag_t;           // 1 for an image, 0 for a wrong packet
typedef unsigned count_t;            // 32 bits, a register behind AXI4-Lite

static const unsigned beat_bits = 64;
static const unsigned full_beat = 0xff;

// Takes one packet, hands on exactly n_beats beats, and then a flag that says whether the packet was an image.
//
// n_beats:       beats of an image
// images:        packets
// beats:         n_beats data words a call; zeros after the end of a packet that is too short
// whole:         one flag a call
// images_in:     images since the reset
// wrong_packets: packets since the reset that were no images. All beats up to a TLAST count as one packet
// cycles:        iterations of the loop since the reset: one for every beat handed on and one for every cycle waited.
//                The few cycles between two packets are not among them
// starved:       cycles of these in which no beat had arrived
// backpressured: cycles of these in which `beats` was full
// II:            1; the loop polls both streams, so that it can count the cycles that it waits
//
// Counters wrap at 2^32. In C-simulation `cycles` counts iterations, since no time passes there. `starved` and
// `backpressured` are not 0 there only if the processes are threads with bounded FIFOs, and then they count waits, not
// their cycles. C/RTL co-simulation shows their values in cycles.
template <unsigned n_beats>
void receive(hls::stream<beat_t> &images, hls::stream<bytes_t> &beats, hls::stream<flag_t> &whole,
             count_t &images_in, count_t &wrong_packets, count_t &cycles, count_t &starved, count_t &backpressured) {
    static count_t n_images = 0, n_wrong = 0, n_cycles = 0, n_starved = 0, n_backpressured = 0;
    static bool is_open = false; // the TLAST of the packet before has not come yet
#pragma HLS RESET variable=n_images
#pragma HLS RESET variable=n_wrong
#pragma HLS RESET variable=n_cycles
#pragma HLS RESET variable=n_starved
#pragma HLS RESET variable=n_backpressured
#pragma HLS RESET variable=is_open
    // TLAST was seen; zeros were needed after it; all beats so far had all bytes.
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
        // Written in every cycle, so that a host can read them while the core waits.
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

// Repacks words of eight bytes into pixels.
//
// n_pixels: pixels of an image
// pixel_T:  an nnet::array of the channels of a pixel, one byte each, at most eight
// II:       1
// cycles:   n_pixels
// storage:  `held`, a shift register of the bytes that were read and not sent: less than a pixel before a read, and a
//           beat more after it
template <unsigned n_pixels, class pixel_T>
void unpack(hls::stream<bytes_t> &beats, hls::stream<pixel_T> &pixels) {
    static const unsigned pixel_bits = 8 * pixel_T::size;
    typedef ap_uint<beat_bits + pixel_bits> held_t;
    held_t held = 0;     // the next pixel in the lowest bits
    unsigned n_held = 0; // bits
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

// Beats of a result: the logits, the class and the number of the packet, two words a beat, rounded up.
template <class logits_T> struct result_packet {
    static const unsigned n_beats = (logits_T::size + 3) / 2;
};

// Sends the packet of a result, or drops it where `whole` says that the packet was no image.
//
// logits_T:   an nnet::array of the codes of all logits
// logits:     one word a call
// whole:      one flag a call, from receive(); it may wait in the FIFO while the image is in the network
// images_out: results sent since the reset
// II:         1 in both loops
// cycles:     logits_T::size + n_beats
// storage:    the words of a packet in registers, since the loops write and read two different numbers of them a cycle
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
