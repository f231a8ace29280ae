#ifndef BOUNDED_HLS_STREAM_H_
#define BOUNDED_HLS_STREAM_H_

// hls::stream as a bounded FIFO between processes that are threads: the depths of the STREAM pragmas take effect.
//
// The file named by the environment variable FIFO_DEPTHS has a line "name depth" for every bounded FIFO.
// PIPELINE_PROCESS hands every call of a dataflow region to start(): the kernels of the top level, and within a kernel
// its stages. The first stream of the region that is destroyed runs them all. When every process that has not
// completed waits for a FIFO or a block, the program is deadlocked: it prints what is waited for and exits with 5.
//
// A pipelined loop moves all words of an iteration in one cycle: one at each end of a FIFO, reads before writes. So the
// slot of a word that was read stays occupied, and a word that was written stays invisible, until the process begins
// its next cycle.

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream> // hls4ml takes it from here
#include <string>
#include <thread>
#include <vector>

namespace hls {

class slots;

// A word that moved in the current cycle.
struct move {
    slots *fifo;
    bool writes;
};

// State of one thread.
struct region {
    std::vector<std::function<void()>> calls; // of the dataflow region that it is setting up
    std::vector<move> moved;                  // in its current cycle
    bool is_process = false;

    static region &own() {
        static thread_local region instance;
        return instance;
    }
};

// All processes of the program, under one mutex.
struct processes {
    std::mutex mutex;
    unsigned running = 0, waiting = 0;
    std::map<const slots *, std::string> blocked; // for the message

    static processes &all() {
        static processes instance;
        return instance;
    }

    // Runs the calls of the thread's region and returns when all have completed. A process that has stages counts
    // neither as running nor as waiting meanwhile; the last stage that completes counts on as its process.
    void run() {
        std::vector<std::function<void()>> started;
        started.swap(region::own().calls);
        if (started.empty())
            return;
        const bool nested = region::own().is_process;
        std::size_t left = started.size();
        {
            std::lock_guard<std::mutex> lock(mutex);
            running += left - nested;
        }
        std::vector<std::thread> threads;
        for (auto &call : started)
            threads.emplace_back([&, this] {
                region::own().is_process = true;
                call();
                end_cycle();
                std::lock_guard<std::mutex> lock(mutex);
                left--;
                if (left || !nested)
                    running--;
                check();
            });
        for (auto &thread : threads)
            thread.join();
    }

    // Ends the program if it is deadlocked.
    void check() const {
        if (!waiting || waiting < running)
            return;
        std::fprintf(stderr, "deadlock:");
        for (const auto &entry : blocked)
            std::fprintf(stderr, " %s", entry.second.c_str());
        std::fprintf(stderr, "\n");
        std::_Exit(5);
    }

    inline void end_cycle();
};

// Adds a call to the thread's dataflow region.
template <class call_T> void start(call_T call) { region::own().calls.push_back(call); }

// Number of times that a free-running process is called; it does not wait for the others between two calls.
inline unsigned &calls() {
    static unsigned count = 1;
    return count;
}

template <class call_T> void start_free(call_T call) {
    start([call] {
        for (unsigned n = 0; n < calls(); n++) {
            call();
            processes::all().end_cycle();
        }
    });
}

// Slots between one process that fills them and one that empties them. `used` counts slots that are claimed, written or
// being read; `full` those that can be read.
class slots {
  public:
    slots(const std::string &name, std::size_t depth) : name_(name), depth_(depth) {}
    slots(const slots &) = delete;
    slots &operator=(const slots &) = delete;

    // All of these are called with the mutex held. claim, await_room and take wait, and release it meanwhile.
    void claim(std::unique_lock<std::mutex> &lock) {
        wait(lock, writer_, "full", [this] { return used_ < depth_; });
        used_++;
    }
    void await_room(std::unique_lock<std::mutex> &lock) {
        wait(lock, writer_, "full", [this] { return used_ < depth_; });
    }
    void take(std::unique_lock<std::mutex> &lock) {
        wait(lock, reader_, "empty", [this] { return full_ > 0; });
        full_--;
    }
    void fill() {
        full_++;
        wake(reader_);
    }
    void free() {
        used_--;
        wake(writer_);
    }

    std::size_t full() const { return full_; }
    bool has_room() const { return used_ < depth_; }

  private:
    // A process at its end of the slots.
    struct user {
        std::condition_variable moved;
        bool asleep = false;
    };

    template <class ready_T>
    void wait(std::unique_lock<std::mutex> &lock, user &self, const char *cause, ready_T ready) {
        processes &all = processes::all();
        while (!ready()) {
            all.blocked[this] = name_ + " " + cause;
            all.waiting++;
            self.asleep = true;
            all.check();
            self.moved.wait(lock, [&self] { return !self.asleep; });
        }
    }

    void wake(user &other) {
        if (!other.asleep)
            return;
        other.asleep = false;
        processes::all().waiting--;
        processes::all().blocked.erase(this);
        other.moved.notify_one();
    }

    const std::string name_;
    const std::size_t depth_;
    std::size_t used_ = 0, full_ = 0;
    user writer_, reader_;
};

// Ends the current cycle of the thread's process: words that it wrote become visible, slots that it read become free.
void processes::end_cycle() {
    std::lock_guard<std::mutex> lock(mutex);
    for (const move &each : region::own().moved)
        each.writes ? each.fifo->fill() : each.fifo->free();
    region::own().moved.clear();
}

// Ends the current cycle if the next word cannot be in it: a second one at the same end, or a read after a write.
inline void begin_move(slots &fifo, bool writes) {
    bool next = false;
    for (const move &each : region::own().moved)
        next = next || (each.fifo == &fifo && each.writes == writes) || (each.writes && !writes);
    if (next)
        processes::all().end_cycle();
    region::own().moved.push_back({&fifo, writes});
}

// Depth of a FIFO from the file, the largest number where it has none.
inline std::size_t depth_of(const std::string &name) {
    static const std::map<std::string, std::size_t> depths = [] {
        std::map<std::string, std::size_t> read;
        const char *path = std::getenv("FIFO_DEPTHS");
        std::ifstream file(path ? path : "");
        std::string key;
        std::size_t depth;
        while (file >> key >> depth)
            read[key] = depth;
        return read;
    }();
    const auto found = depths.find(name);
    return found == depths.end() ? std::size_t(-1) : found->second;
}

template <class word_T> class stream {
  public:
    explicit stream(const std::string &name = "stream") : slots_(name, depth_of(name)) {}
    stream(const stream &) = delete;
    stream &operator=(const stream &) = delete;
    ~stream() {
        processes::all().end_cycle();
        processes::all().run();
    }

    void write(const word_T &word) {
        begin_move(slots_, true);
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.claim(lock);
        words_.push_back(word);
    }

    word_T read() {
        begin_move(slots_, false);
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.take(lock);
        const word_T word = words_.front();
        words_.pop_front();
        return word;
    }

    // A process that polls would never be seen to wait, and a deadlock never detected. So only the first question may be
    // answered no, and the second one in a row waits. That a wait happened is known in this simulation, how long is not.
    bool read_nb(word_T &word) {
        processes::all().end_cycle();
        if (ask(asked_word_, [this] { return slots_.full() > 0; }))
            return false;
        word = read();
        return true;
    }
    bool full() {
        processes::all().end_cycle();
        if (ask(asked_room_, [this] { return slots_.has_room(); }))
            return true;
        std::unique_lock<std::mutex> lock(processes::all().mutex);
        slots_.await_room(lock);
        return false;
    }

    bool empty() const { return size() == 0; }
    std::size_t size() const { return slots_.full(); }

  private:
    // Whether the answer is no, which it is not twice in a row.
    template <class ready_T> static bool ask(bool &told, ready_T ready) {
        std::lock_guard<std::mutex> lock(processes::all().mutex);
        told = !told && !ready();
        return told;
    }

    bool asked_word_ = false, asked_room_ = false;
    slots slots_;
    std::deque<word_T> words_;
};

} // namespace hls

#endif
