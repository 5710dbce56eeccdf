"""Drawing: painters that read a scene and draw on a canvas; a Drawing calls them in order."""
