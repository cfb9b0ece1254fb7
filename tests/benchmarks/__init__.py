"""Benchmarks: ratios measured side by side in one run, interleaved, so that a noisy machine moves both sides alike.

The protocol, for whoever adds one. A part is a module with one function, named in `tests.benchmarks.parts.PARTS`:

    def measure(small: bool) -> Measured: ...

It takes the time it needs (ten minutes at most on two quiet cores), prints nothing but progress, and returns a
`tests.benchmarks.measured.Measured`: ratios by name (2 means twice as fast as the plain way), tables for the document,
and any figures others may want to compute with. `small` asks for a run of seconds that shows that it works. Nothing
heavy is imported at the module's top: `--help` imports only the registry.

`make bench` runs the quick parts, `make bench PARTS="pipeline scan"` the parts named, `SMALL=1` small ones. The runner
prints, and merges each part with its time, revision and machine into build/bench.json:

    {"machine": ..., "ratios": {NAME: median, ...},
     "parts": {PART: {"at", "revision", "machine", "small", "seconds", "ratios", "tables", "notes", "figures"}}}

`python -m tests.benchmarks.figures` writes docs/performance.md anew from it: what stands between
`<!-- bench: PART -->` and `<!-- end of bench -->` is replaced by that part's tables; nothing there is typed by hand.

`measured.interleaved` runs several things in turn and `measured.spread` sums them up; `photographs.photographs`
makes photos; `environment.bench_python("ray[data]")` is a Python with what only a benchmark needs, in
build/bench-venv, which sees our own packages too.
"""
