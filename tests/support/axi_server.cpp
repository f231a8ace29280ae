// The top level of a board as a process that packets are sent to over pipes.
//
// A request on the standard input is a uint32 count of beats and that many beats of nine bytes: eight of data, and one
// that is 1 with TLAST. Beats are stored until a packet is whole, which may take several requests. The answer on the
// standard output is a uint32 count of beats, the beats of all results, and the six counters as uint32.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include "firmware/vit_axi.h"

using board::beat_t;

// Appends the beats of a request; false at the end of the input.
static bool receive(std::deque<beat_t> &waiting) {
    std::uint32_t count;
    if (std::fread(&count, sizeof count, 1, stdin) != 1)
        return false;
    for (; count > 0; count--) {
        std::uint64_t data;
        std::uint8_t last;
        if (std::fread(&data, sizeof data, 1, stdin) != 1 || std::fread(&last, sizeof last, 1, stdin) != 1)
            return false;
        beat_t beat;
        beat.data = data;
        beat.keep = beat.strb = 0xff;
        beat.last = last;
        waiting.push_back(beat);
    }
    return true;
}

// Beats that the next call of the top level takes: to a TLAST, or an image; 0 while they are not all there.
static unsigned next_call(const std::deque<beat_t> &waiting) {
    for (unsigned n = 0; n < waiting.size(); n++)
        if (waiting[n].last == 1 || n == image_beats - 1)
            return n + 1;
    return 0;
}

int main() {
    std::deque<beat_t> waiting;
    board::count_t counters[6] = {0, 0, 0, 0, 0, 0};
    while (receive(waiting)) {
        hls::stream<beat_t> results("results");
        while (const unsigned count = next_call(waiting)) {
            hls::stream<beat_t> images("images");
            for (unsigned n = 0; n < count; n++) {
                images.write(waiting.front());
                waiting.pop_front();
            }
            vit_axi(images, results, counters[0], counters[1], counters[2], counters[3], counters[4], counters[5]);
        }
        const std::uint32_t n_beats = results.size();
        std::fwrite(&n_beats, sizeof n_beats, 1, stdout);
        for (unsigned n = 0; n < n_beats; n++) {
            const beat_t beat = results.read();
            const std::uint64_t data = (unsigned long long)(beat.data);
            const std::uint8_t last = beat.last == 1;
            std::fwrite(&data, sizeof data, 1, stdout);
            std::fwrite(&last, sizeof last, 1, stdout);
        }
        for (unsigned n = 0; n < 6; n++) {
            const std::uint32_t value = unsigned(counters[n]);
            std::fwrite(&value, sizeof value, 1, stdout);
        }
        std::fflush(stdout);
    }
    return 0;
}
