// Toggles the clock of a bench, which Verilator compiled, until it calls $finish.

#include "Vtwin_bench.h"
#include "verilated.h"

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vtwin_bench bench(&context);
    while (!context.gotFinish()) {
        bench.clk = 0;
        bench.eval();
        context.timeInc(1);
        bench.clk = 1;
        bench.eval();
        context.timeInc(1);
    }
    bench.final();
    return 0;
}
