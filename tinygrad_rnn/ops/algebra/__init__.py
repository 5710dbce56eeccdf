"""Products: matrix products and everything composed of them, norms, convolutions."""
