"""The parts of ``flows/search.py``: space, cost, study, pruning of trials, where trials run, and what is shown."""
