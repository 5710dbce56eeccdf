"""The painters: each reads a scene and draws one kind of thing on a canvas."""
