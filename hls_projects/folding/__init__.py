"""Choice of a folding: how much of every operator works in parallel, so that the pipeline is balanced and fits a board.

The modules in the order of the algorithm; each imports only from those before it:

1. ``options``: what a caller asks for (:class:`~hls_projects.folding.options.FoldOptions`), and the errors.
2. ``choices``: the foldings that an operator can have, with the cycles and resources of each.
3. ``plan``: one choice for every operator, found by an integer program. The pipeline is as slow as its slowest
   operator, so a plan is made for an interval, and the shortest interval that fits the board is found by bisection.
4. ``json_file``: ``folding.json``, a plan's foldings for the next run.
5. ``folded``: a graph with its foldings, the network of processes and FIFOs that it becomes, and their resources.
6. ``depths``: the depths of the FIFOs of such a network.
7. ``search``: the whole. Plans depend on the resources of FIFOs, and FIFOs on the plan, so both are made in rounds;
   linear layers that read the same tensor are tried as one merged layer and as separate ones.
8. ``estimate``: the figures of the result for reports.
"""
