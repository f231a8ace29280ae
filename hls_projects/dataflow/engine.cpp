// Cycles of every word in a network of processes and FIFOs; engine.py has the other side of the interface.
//
// A process goes on until it needs the cycle of a word, or of a freed slot, that is not known yet. It then
// leaves its number and that of the word at the end of the FIFO where the word will move, and the process
// there calls it when it has come as far. No clock ticks.

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

enum Kind : int64_t { MOVE, LOOP, END, WAIT, PICTURE };

// MOVE waits `cycles`, then moves a word at the ports `first` to `first + count - 1` of the list of moves;
// LOOP begins a body that is repeated `count` times, END ends it and goes back to `first`; WAIT waits;
// PICTURE ends the program.
struct Instruction {
    int64_t kind, cycles, first, count;
};

// One end of a FIFO: cycles of its words, of which only the last are kept where nobody asked for all.
struct End {
    int64_t *cycles;
    int64_t mask;
    int64_t count;
    int64_t wanted;
    int64_t waiting; // the process at the other end that waits for word `wanted`; -1 for none
};

// An end of a FIFO in its process. Word n needs word n - ahead of the other end to have moved `after` cycles before.
struct Port {
    End *own, *other;
    int64_t ahead, after;
    int64_t stalls;
    bool writes;
};

struct Process {
    const Instruction *code;
    int64_t number;
    int64_t place, cycle, pictures_left;
    int64_t blocked; // port that it waits at; -1 for none
    int64_t first_port, ports;
    int64_t *ends; // last cycle in which a word moved, by picture
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
    const int64_t *moves;
    int64_t pictures;

    void run() {
        // The last in comes first, so that words stay near the processor.
        for (int64_t number = processes.size() - 1; number >= 0; number--)
            called.push_back(number);
        while (!called.empty()) {
            Process &process = processes[called.back()];
            called.pop_back();
            if (shares.empty())
                go_on<false>(process);
            else
                go_on<true>(process);
            call_neighbours(process);
        }
    }

  private:
    std::vector<int64_t> called;

    void call_neighbours(const Process &process) {
        for (int64_t index = process.first_port; index < process.first_port + process.ports; index++) {
            End &end = *ports[index].own;
            if (end.waiting >= 0 && end.count > end.wanted) {
                called.push_back(end.waiting);
                end.waiting = -1;
            }
        }
    }

    template <bool with_shares> void go_on(Process &process) {
        int64_t place = process.place, cycle = process.cycle;
        process.blocked = -1;
        while (process.pictures_left) {
            const Instruction &at = process.code[place];
            switch (at.kind) {
            case MOVE: {
                const int64_t start = cycle + at.cycles;
                int64_t ready = start;
                Port *last = nullptr;
                for (int64_t move = at.first; move < at.first + at.count; move++) {
                    Port &port = ports[moves[move]];
                    const int64_t needed = port.own->count - port.ahead;
                    if (needed < 0)
                        continue;
                    if (needed >= port.other->count) {
                        port.other->waiting = process.number;
                        port.other->wanted = needed;
                        process.blocked = moves[move];
                        process.place = place;
                        process.cycle = cycle;
                        return;
                    }
                    const int64_t possible = port.other->cycles[needed & port.other->mask] + port.after;
                    if (possible > ready) {
                        ready = possible;
                        last = &port;
                    }
                }
                if (last)
                    last->stalls += ready - start;
                if (with_shares)
                    share(process, start, ready, last);
                for (int64_t move = at.first; move < at.first + at.count; move++) {
                    End &own = *ports[moves[move]].own;
                    own.cycles[own.count & own.mask] = ready;
                    own.count++;
                }
                process.ends[pictures - process.pictures_left] = ready;
                cycle = ready + 1;
                place++;
                break;
            }
            case LOOP:
                process.loops.push_back(at.count);
                place++;
                break;
            case END:
                if (--process.loops.back()) {
                    place = at.first;
                } else {
                    process.loops.pop_back();
                    place++;
                }
                break;
            case WAIT:
                cycle += at.cycles;
                place++;
                break;
            default:
                process.pictures_left--;
                place = 0;
            }
        }
    }

    void share(Process &process, int64_t start, int64_t ready, const Port *last) {
        Shares &own = shares[process.number];
        // What a process waits before its first word is left out.
        const int64_t picture = pictures - process.pictures_left;
        const int64_t before = process.ends[picture] >= 0 ? process.ends[picture] : picture ? process.ends[picture - 1] : -1;
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
// instructions: (., 4), of all processes one after another, from `code_starts` on; ports: (., 2), FIFO and
// whether it is written, from `port_starts` on; moves: indices of ports. depths: by FIFO, 0 without a bound;
// latencies: by FIFO, from a write to the first cycle in which the word can be read.
// cycles: space for the cycles of end e (2 * FIFO + 1 where it is read) from `cycle_starts[e]` on, a power
// of two of at least the FIFO's depth where `masks[e]` is that less one, all of its words where it is -1.
// counts (ends), stalls (ports), blocked (processes; port or -1), picture_ends (processes, pictures; -1
// that did not end) are results, and so is shares (processes, bins, 3), for the times between `edges`,
// unless there are no bins. Returns the last cycle in which a word moved, -1 where none did.
extern "C" int64_t simulate_network(int64_t n_processes, int64_t n_fifos, int64_t pictures,
                                    const int64_t *instructions, const int64_t *code_starts, const int64_t *ports,
                                    const int64_t *port_starts, const int64_t *moves, const int64_t *depths,
                                    const int64_t *latencies,
                                    int64_t *cycles, const int64_t *cycle_starts, const int64_t *masks,
                                    int64_t *counts, int64_t *stalls, int64_t *blocked, int64_t *picture_ends,
                                    int64_t bins, const int64_t *edges, int64_t *shares) {
    Network network;
    network.moves = moves;
    network.pictures = pictures;
    for (int64_t end = 0; end < 2 * n_fifos; end++)
        network.ends.push_back({cycles + cycle_starts[end], masks[end], 0, 0, -1});
    for (int64_t port = 0; port < port_starts[n_processes]; port++) {
        const int64_t fifo = ports[2 * port];
        const bool writes = ports[2 * port + 1];
        const int64_t ahead = !writes ? 0 : depths[fifo] ? depths[fifo] : INT64_MAX;
        const int64_t after = writes ? 1 : latencies[fifo];
        End *own = &network.ends[2 * fifo + !writes], *other = &network.ends[2 * fifo + writes];
        network.ports.push_back({own, other, ahead, after, 0, writes});
    }
    for (int64_t number = 0; number < n_processes; number++) {
        const Instruction *code = reinterpret_cast<const Instruction *>(instructions) + code_starts[number];
        const int64_t ports_here = port_starts[number + 1] - port_starts[number];
        int64_t *ends = picture_ends + number * pictures;
        for (int64_t picture = 0; picture < pictures; picture++)
            ends[picture] = -1;
        const int64_t left = ports_here ? pictures : 0;
        network.processes.push_back({code, number, 0, 0, left, -1, port_starts[number], ports_here, ends, {}});
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
        for (int64_t picture = 0; picture < pictures; picture++)
            last = std::max(last, process.ends[picture]);
        if (process.pictures_left)
            process.ends[pictures - process.pictures_left] = -1;
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
