"""Where everything is drawn: the boxes of one step, the bands of a sheet, the strip of time."""
