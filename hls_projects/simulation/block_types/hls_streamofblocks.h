#ifndef SEQUENTIAL_HLS_STREAMOFBLOCKS_H_
#define SEQUENTIAL_HLS_STREAMOFBLOCKS_H_

#include <cstdio>
#include <cstdlib>
#include <deque>

// Stand-in for the header of Vitis HLS (UG1399) where the stages of a dataflow region are called one after another: a
// stage fills all blocks of an image before the next one takes the first, so the number of blocks is unbounded.
// Taking a block that was not filled, or leaving one behind, is an error of the kernels and ends the program with 3.

namespace hls {

// block_T: an array type. depth: buffers in hardware, not used here.
template <class block_T, int depth = 2> class stream_of_blocks {
  public:
    // An array cannot be an element of a container, a struct can.
    struct holder {
        block_T block;
    };

    stream_of_blocks() = default;
    stream_of_blocks(const stream_of_blocks &) = delete;
    stream_of_blocks &operator=(const stream_of_blocks &) = delete;
    ~stream_of_blocks() {
        if (!blocks.empty())
            fail("a block is left in a stream of blocks");
    }

    static void fail(const char *what) {
        std::fprintf(stderr, "%s\n", what);
        std::exit(3);
    }

    std::deque<holder> blocks;
};

// Access to an empty block, which is full when the lock is destroyed.
template <class block_T> class write_lock {
  public:
    template <int depth> explicit write_lock(stream_of_blocks<block_T, depth> &stream) {
        stream.blocks.emplace_back();
        block_ = &stream.blocks.back().block;
    }
    write_lock(const write_lock &) = delete;
    write_lock &operator=(const write_lock &) = delete;

    auto &operator[](unsigned index) { return (*block_)[index]; }
    operator block_T &() { return *block_; }

  private:
    block_T *block_;
};

// Access to the oldest full block, which is removed when the lock is destroyed.
template <class block_T> class read_lock {
    typedef typename stream_of_blocks<block_T>::holder holder;

  public:
    explicit read_lock(stream_of_blocks<block_T> &stream) : blocks_(stream.blocks) {
        if (blocks_.empty())
            stream.fail("a block is taken that was not filled");
        block_ = &blocks_.front().block;
    }
    read_lock(const read_lock &) = delete;
    read_lock &operator=(const read_lock &) = delete;
    ~read_lock() { blocks_.pop_front(); }

    auto &operator[](unsigned index) { return (*block_)[index]; }
    operator block_T &() { return *block_; }

  private:
    std::deque<holder> &blocks_;
    block_T *block_;
};

} // namespace hls

#endif
