"""Memory: aliasing, allocation of buffers, and workspaces that runs reuse."""
