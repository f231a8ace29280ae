"""Commands that chain the model and the hardware project."""
