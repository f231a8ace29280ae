"""What ``flows/evaluate.py`` is made of: lineage → phases (measures, exported) → table, pictures, files."""
