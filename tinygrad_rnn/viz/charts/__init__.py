"""Charts of gradients and gates: panels of lines, cells and bars, in SVG."""
