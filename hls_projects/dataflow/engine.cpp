// Cycles of every word in a network of processes and FIFOs; engine.py has the other side of the interface.
//
// A process goes on until it needs the cycle of a word, or of a freed slot, that is not known yet. It then
// leaves its number and that of the word at the end of the FIFO where the word will move, and the process
// there calls it when it has come as far. No clock ticks.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

enum Kind : int64_t { MOVE, LOOP, END, WAIT, IMAGE };

// MOVE waits `cycles`, then moves a word at the ports `first` to `first + count - 1` of the list of moves, and does both
// `times` times; LOOP begins a body that is repeated `times` times, END ends it and goes back to `first`; WAIT waits;
// IMAGE ends the program.
struct Instruction {
    int64_t kind, cycles, first, count, times;
};

constexpr int64_t NO_BOUND = INT64_MIN;
const int64_t LONG_AGO = INT64_MIN / 2;

// One end of a FIFO as the process at the other end sees it.
struct End {
    int64_t count;   // words that moved
    int64_t wanted;  // the word that the other process waits for
    int64_t waiting; // and its number; -1 for none
};

// An end of a FIFO as its own process sees it. A word needs another to have moved before at the other end:
// `needed`, none where that is negative; `after` cycles before. Of the cycles only the last are kept where nobody
// asked for all.
struct Port {
    int64_t needed, after;
    int64_t *cycles;
    const int64_t *other_cycles;
    int64_t mask;
    End *own, *other;
    int64_t stalls;
    bool writes;
};

// A port in a batch of words: the cycles that they wait for, from `from` on, and their own, from `to` on. A copy, which
// the compiler may keep in registers.
struct Lane {
    const int64_t *awaited;
    int64_t from, from_mask, after;
    int64_t *cycles;
    int64_t to, to_mask, stalls;
};

struct Process {
    const Instruction *code;
    int64_t number;
    int64_t place, cycle, images_left;
    int64_t times_left; // of the MOVE at `place`; 0 where it has not begun
    int64_t blocked;    // port that it waits at; -1 for none
    int64_t *ends;      // last cycle in which a word moved, by image
    std::vector<int64_t> loops;
};

// Cycles that a process spends in each state, by stretch of time.
class Shares {
  public:
    Shares(const int64_t *edges, int64_t bins, int64_t *shares) : edges(edges), bins(bins), shares(shares) {}

    void work(int64_t from, int64_t to) { add(from, to, 0); }
    void wait(int64_t from, int64_t to, bool writes) { add(from, to, writes ? 2 : 1); }

  private:
    const int64_t *edges;
    int64_t bins;
    int64_t *shares; // (bins, 3): busy, starved, blocked
    int64_t bin = 0;

    // Stretches come one after another.
    void add(int64_t from, int64_t to, int state) {
        while (from < to && bin < bins) {
            const int64_t edge = edges[bin + 1] < to ? edges[bin + 1] : to;
            if (edge > from) {
                shares[3 * bin + state] += edge - from;
                from = edge;
            }
            if (from >= edges[bin + 1])
                bin++;
        }
    }
};

class Network {
  public:
    std::vector<End> ends;
    std::vector<Port> ports;
    std::vector<Process> processes;
    std::vector<Shares> shares;
    std::vector<Port *> moves;
    int64_t images;
    bool timed; // otherwise only what stands still is told

    void run() {
        // The last in comes first, so that words stay near the processor.
        for (int64_t number = processes.size() - 1; number >= 0; number--)
            called.push_back(number);
        while (!called.empty()) {
            Process &process = processes[called.back()];
            called.pop_back();
            go_on(process);
        }
    }

  private:
    std::vector<int64_t> called;
    std::vector<Lane> lanes;

    void go_on(Process &process) {
        process.blocked = -1;
        while (process.images_left) {
            const Instruction &at = process.code[process.place];
            switch (at.kind) {
            case MOVE:
                if (!move(process, at))
                    return;
                process.place++;
                break;
            case LOOP:
                process.loops.push_back(at.times);
                process.place++;
                break;
            case END:
                if (--process.loops.back()) {
                    process.place = at.first;
                } else {
                    process.loops.pop_back();
                    process.place++;
                }
                break;
            case WAIT:
                process.cycle += at.cycles;
                process.place++;
                break;
            default:
                process.images_left--;
                process.place = 0;
            }
        }
    }

    // Moves words until all of `at` have moved, or until the process stands, which is false.
    bool move(Process &process, const Instruction &at) {
        Port **const first = &moves[at.first], **const end = first + at.count;
        if (!process.times_left)
            process.times_left = at.times;
        while (process.times_left) {
            const int64_t batch = movable(process, first, end);
            if (!batch)
                return false;
            if (timed)
                time(process, at, batch);
            process.times_left -= batch;
            for (Port **each = first; each != end; each++)
                moved(**each, batch);
        }
        return true;
    }

    // How many words can move at all of the ports, as far as is known; where there are none, the process waits.
    int64_t movable(Process &process, Port **first, Port **end) {
        int64_t batch = process.times_left;
        for (Port **each = first; each != end; each++) {
            Port &port = **each;
            if (port.needed == NO_BOUND)
                continue;
            const int64_t known = port.other->count - port.needed;
            if (known <= 0) {
                port.other->waiting = process.number;
                port.other->wanted = port.needed;
                process.blocked = &port - ports.data();
                return 0;
            }
            // Words that wait for nothing have a batch of their own.
            batch = std::min(batch, port.needed < 0 ? -port.needed : known);
        }
        return batch;
    }

    void moved(Port &port, int64_t batch) {
        if (port.needed != NO_BOUND)
            port.needed += batch;
        End &end = *port.own;
        end.count += batch;
        if (end.waiting >= 0 && end.count > end.wanted) {
            called.push_back(end.waiting);
            end.waiting = -1;
        }
    }

    void time(Process &process, const Instruction &at, int64_t batch) {
        if (!shares.empty())
            return time_words<0, true>(process, at, batch);
        switch (at.count) {
        case 1:
            return time_words<1, false>(process, at, batch);
        case 2:
            return time_words<2, false>(process, at, batch);
        case 3:
            return time_words<3, false>(process, at, batch);
        default:
            return time_words<0, false>(process, at, batch);
        }
    }

    // The cycles of the next `batch` words at each port; `n_ports` is their number where it is not 0.
    template <int n_ports, bool with_shares> void time_words(Process &process, const Instruction &at, int64_t batch) {
        const int count = n_ports ? n_ports : at.count;
        Port **const here = &moves[at.first];
        Lane few[n_ports ? n_ports : 1], *const lane = n_ports ? few : room(count);
        for (int each = 0; each < count; each++) {
            const Port &port = *here[each];
            lane[each] = {port.other_cycles, port.needed, port.mask, port.after, port.cycles, port.own->count, port.mask, 0};
            if (port.needed < 0) {
                lane[each].awaited = &LONG_AGO;
                lane[each].from_mask = 0;
            }
        }
        int64_t cycle = process.cycle;
        for (int64_t word = 0; word < batch; word++) {
            const int64_t start = cycle + at.cycles;
            int64_t ready = start;
            int last = -1;
            for (int each = 0; each < count; each++) {
                const int64_t awaited = lane[each].awaited[(lane[each].from + word) & lane[each].from_mask];
                if (awaited + lane[each].after > ready) {
                    ready = awaited + lane[each].after;
                    last = each;
                }
            }
            for (int each = 0; each < count; each++) {
                lane[each].cycles[(lane[each].to + word) & lane[each].to_mask] = ready;
                lane[each].stalls += each == last ? ready - start : 0;
            }
            if (with_shares) {
                share(process, start, ready, last < 0 ? nullptr : here[last]);
                process.ends[images - process.images_left] = ready;
            }
            cycle = ready + 1;
        }
        for (int each = 0; each < count; each++)
            here[each]->stalls += lane[each].stalls;
        process.cycle = cycle;
        process.ends[images - process.images_left] = cycle - 1;
    }

    Lane *room(size_t count) {
        lanes.resize(std::max(lanes.size(), count));
        return lanes.data();
    }

    void share(Process &process, int64_t start, int64_t ready, const Port *last) {
        Shares &own = shares[process.number];
        // What a process waits before its first word is left out.
        const int64_t image = images - process.images_left;
        const int64_t before = process.ends[image] >= 0 ? process.ends[image] : image ? process.ends[image - 1] : -1;
        if (before >= 0) {
            own.work(before + 1, start);
            if (last)
                own.wait(start, ready, last->writes);
        }
        own.work(ready, ready + 1);
    }
};

} // namespace

// Sizes and places are numbers of elements, all arrays row by row.
//
// instructions: (., 5), of all processes one after another, from `code_starts` on; ports: (., 2), FIFO and
// whether it is written, from `port_starts` on; moves: indices of ports. depths: by FIFO, 0 without a bound;
// latencies: by FIFO, from a write to the first cycle in which the word can be read.
// timed: whether to tell more than `counts` and `blocked`; otherwise nothing that has to do with cycles is used.
// cycles: space for the cycles of end e (2 * FIFO + 1 where it is read) from `cycle_starts[e]` on, a power
// of two of at least the FIFO's depth where `masks[e]` is that less one, all of its words where it is -1;
// the same at both ends.
// counts (ends), stalls (ports), blocked (processes; port or -1), image_ends (processes, images; -1
// that did not end) are results, and so is shares (processes, bins, 3), for the times between `edges`,
// unless there are no bins. Returns the last cycle in which a word moved, -1 where none did.
extern "C" int64_t simulate_network(int64_t n_processes, int64_t n_fifos, int64_t images, int64_t timed,
                                    const int64_t *instructions, const int64_t *code_starts, const int64_t *ports,
                                    const int64_t *port_starts, int64_t n_moves, const int64_t *moves,
                                    const int64_t *depths, const int64_t *latencies,
                                    const int64_t *frees, int64_t *cycles, const int64_t *cycle_starts, const int64_t *masks,
                                    int64_t *counts, int64_t *stalls, int64_t *blocked, int64_t *image_ends,
                                    int64_t bins, const int64_t *edges, int64_t *shares) {
    Network network;
    network.images = images;
    network.timed = timed;
    network.ends.assign(2 * n_fifos, {0, 0, -1});
    for (int64_t port = 0; port < port_starts[n_processes]; port++) {
        const int64_t fifo = ports[2 * port];
        const bool writes = ports[2 * port + 1];
        const int64_t own = 2 * fifo + !writes, other = 2 * fifo + writes;
        const int64_t needed = !writes ? 0 : depths[fifo] ? -depths[fifo] : NO_BOUND;
        const int64_t after = (writes ? frees : latencies)[fifo];
        int64_t *own_cycles = cycles + (timed ? cycle_starts[own] : 0);
        const int64_t *other_cycles = cycles + (timed ? cycle_starts[other] : 0);
        network.ports.push_back({needed, after, own_cycles, other_cycles, masks[own], &network.ends[own],
                                 &network.ends[other], 0, writes});
    }
    for (int64_t move = 0; move < n_moves; move++)
        network.moves.push_back(&network.ports[moves[move]]);
    for (int64_t number = 0; number < n_processes; number++) {
        const Instruction *code = reinterpret_cast<const Instruction *>(instructions) + code_starts[number];
        const int64_t ports_here = port_starts[number + 1] - port_starts[number];
        int64_t *ends = image_ends + number * images;
        for (int64_t image = 0; image < images; image++)
            ends[image] = -1;
        const int64_t left = ports_here ? images : 0;
        network.processes.push_back({code, number, 0, 0, left, 0, -1, ends, {}});
        if (bins)
            network.shares.emplace_back(edges, bins, shares + number * bins * 3);
    }
    network.run();
    for (int64_t end = 0; end < 2 * n_fifos; end++)
        counts[end] = network.ends[end].count;
    for (int64_t port = 0; port < port_starts[n_processes]; port++)
        stalls[port] = network.ports[port].stalls;
    int64_t last = -1;
    for (Process &process : network.processes) {
        for (int64_t image = 0; image < images; image++)
            last = std::max(last, process.ends[image]);
        if (process.images_left)
            process.ends[images - process.images_left] = -1;
        blocked[process.number] = process.blocked;
    }
    return last;
}

// Most slots in use in one cycle, from the ascending cycles of all writes and reads of a FIFO.
extern "C" int64_t peak_occupancy(const int64_t *writes, int64_t n_writes, const int64_t *reads, int64_t n_reads) {
    int64_t read = 0, peak = 0;
    for (int64_t write = 0; write < n_writes; write++) {
        while (read < n_reads && reads[read] < writes[write])
            read++;
        if (write + 1 - read > peak)
            peak = write + 1 - read;
    }
    return peak;
}
