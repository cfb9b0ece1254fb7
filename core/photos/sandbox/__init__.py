"""Decoding in limited processes: a hostile file costs a process, not the worker."""
