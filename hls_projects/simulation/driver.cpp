// Runs a generated project on images in a binary file. hls4ml's own test bench reads text, which takes longer than the
// network itself.
//
// usage: driver images results image_bytes first count
//
// images:       file with the pixels of all images, one byte each
// results:      file to write, the codes of the logits as int32. The logits of an image are flushed as soon as they are
//               computed, so that after a crash the length of the file says which image it happened in
// image_bytes:  bytes of an image
// first, count: the images to run
//
// Prints the largest resident memory in KiB. Exit status: 0; 2 for wrong arguments; 4 for a file that cannot be read
// or written.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "firmware/vit.h"

static const unsigned n_logits = result_t::size;

// The pixels of an image, all channels of a pixel in one word.
static void send(const std::vector<unsigned char> &image, hls::stream<input_t> &pixels) {
    for (std::size_t offset = 0; offset < image.size(); offset += input_t::size) {
        input_t pixel;
        for (unsigned c = 0; c < input_t::size; c++)
            pixel[c] = image[offset + c];
        pixels.write(pixel);
    }
}

// Reports an error of the operating system; returns the exit status.
static int fail(const char *what, const char *name) {
    std::fprintf(stderr, "%s ", what);
    std::perror(name);
    return 4;
}

// Largest resident memory so far. getrusage would include that of the process that started this one.
static long peak_kib() {
    long kib = 0;
    char line[256];
    std::FILE *status = std::fopen("/proc/self/status", "r");
    while (status && std::fgets(line, sizeof line, status))
        if (std::sscanf(line, "VmHWM: %ld kB", &kib) == 1)
            break;
    return kib;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        std::fprintf(stderr, "usage: %s images results image_bytes first count\n", argv[0]);
        return 2;
    }
    const long image_bytes = std::atol(argv[3]), first = std::atol(argv[4]), count = std::atol(argv[5]);
    std::vector<unsigned char> image(image_bytes);
    std::FILE *images = std::fopen(argv[1], "rb");
    if (!images || std::fseek(images, first * image_bytes, SEEK_SET))
        return fail("cannot read", argv[1]);
    std::FILE *results = std::fopen(argv[2], "wb");
    if (!results)
        return fail("cannot write", argv[2]);
    for (long done = 0; done < count; done++) {
        if (std::fread(image.data(), 1, image.size(), images) != image.size()) {
            std::fprintf(stderr, "%s ends in image %ld\n", argv[1], first + done);
            return 4;
        }
        // New streams for every image: their destructors check that nothing is left.
        hls::stream<input_t> pixels("pixels");
        hls::stream<result_t> logits("logits");
        send(image, pixels);
        vit(pixels, logits);
        const result_t codes = logits.read();
        std::int32_t words[n_logits];
        for (unsigned n = 0; n < n_logits; n++)
            words[n] = int(codes[n]);
        if (std::fwrite(words, sizeof words, 1, results) != 1 || std::fflush(results))
            return fail("cannot write", argv[2]);
    }
    if (std::fclose(results))
        return fail("cannot write", argv[2]);
    std::printf("%ld\n", peak_kib());
    return 0;
}
