#ifndef BOUNDED_HLS_STREAMOFBLOCKS_H_
#define BOUNDED_HLS_STREAMOFBLOCKS_H_

// hls::stream_of_blocks of Vitis HLS (UG1399) between stages that are threads: the writer waits until one of `depth`
// blocks is free, the reader until one is full. A block is handed over in a cycle of its own.

#include "hls_stream.h"

namespace hls {

template <class block_T, int depth = 2> class stream_of_blocks {
  public:
    stream_of_blocks() : slots_("block", depth) {}
    ~stream_of_blocks() {
        processes::all().end_cycle();
        processes::all().run();
    }

    block_T *begin_write() {
        wait_for(&slots::claim);
        return &blocks_[written_++ % depth];
    }
    void end_write() { give(&slots::fill); }
    block_T *begin_read() {
        wait_for(&slots::take);
        return &blocks_[read_++ % depth];
    }
    void end_read() { give(&slots::free); }

  private:
    void wait_for(void (slots::*which)(std::unique_lock<std::mutex> &)) {
        processes::all().end_cycle();
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        (slots_.*which)(lock);
    }
    void give(void (slots::*which)()) {
        processes::all().end_cycle();
        std::lock_guard<std::mutex> lock(processes::all().mutex);
        (slots_.*which)();
    }

    slots slots_;
    unsigned written_ = 0, read_ = 0;
    block_T blocks_[depth];
};

// Access to a free block, which is full when the lock is destroyed.
template <class block_T> class write_lock {
  public:
    explicit write_lock(stream_of_blocks<block_T> &stream) : stream_(stream), block_(stream.begin_write()) {}
    write_lock(const write_lock &) = delete;
    write_lock &operator=(const write_lock &) = delete;
    ~write_lock() { stream_.end_write(); }

    auto &operator[](unsigned index) { return (*block_)[index]; }
    operator block_T &() { return *block_; }

  private:
    stream_of_blocks<block_T> &stream_;
    block_T *block_;
};

// Access to the oldest full block, which is free when the lock is destroyed.
template <class block_T> class read_lock {
  public:
    explicit read_lock(stream_of_blocks<block_T> &stream) : stream_(stream), block_(stream.begin_read()) {}
    read_lock(const read_lock &) = delete;
    read_lock &operator=(const read_lock &) = delete;
    ~read_lock() { stream_.end_read(); }

    auto &operator[](unsigned index) { return (*block_)[index]; }
    operator block_T &() { return *block_; }

  private:
    stream_of_blocks<block_T> &stream_;
    block_T *block_;
};

} // namespace hls

#endif
