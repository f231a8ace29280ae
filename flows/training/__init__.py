"""Training one model, or pruning and training it."""
