"""Charts of what was found in the gradient: panels of lines, cells and bars, in SVG."""
