"""What ``flows/evaluate.py`` is made of: lineage → phases (measures, exported) → table, images, files."""
