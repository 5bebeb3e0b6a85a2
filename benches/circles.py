"""The circles of imports inside each crate: files that name each other, directly or around corners.

    python3 benches/circles.py            every crate
    python3 benches/circles.py tape cli   some

A file is a node (mod.rs and lib.rs stand for their folder), and `crate::a::b`, `super::b` or `use` of them an edge. Tests are left out.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "crates"


def module(path, src):
    parts = list(path.relative_to(src).with_suffix("").parts)
    if parts[-1] in ("mod", "lib", "main"):
        parts.pop()
    return tuple(parts)


def paths(text):
    """All paths that begin with crate, super or self, with the groups of `use` written out."""
    for match in re.finditer(r"\b(crate|super)((?:::\w+|::\{[^;{}]*\})+)", text):
        head, rest = match.groups()
        groups = re.findall(r"::(\w+)|::\{([^}]*)\}", rest)
        stems = [[head]]
        for word, group in groups:
            names = [word] if word else [n.strip().split("::")[0].split(" ")[0] for n in group.split(",") if n.strip()]
            stems = [stem + [name] for stem in stems for name in names]
        yield from stems


def edges(crate):
    src = ROOT / crate / "src"
    files = {module(p, src): p for p in src.rglob("*.rs") if "tests" not in p.relative_to(src).as_posix()}
    graph = {m: set() for m in files}
    for here, path in files.items():
        text = re.sub(r"//[^\n]*", "", path.read_text().split("#[cfg(test)]")[0])
        for words in paths(text):
            at = () if words[0] == "crate" else here[:-1]
            rest = words[1:]
            while rest and rest[0] == "super":
                at, rest = at[:-1], rest[1:]
            while rest and at + (rest[0],) in files:
                at, rest = at + (rest[0],), rest[1:]
            if at and at != here and at in files:
                graph[here].add(at)
    return graph


def circles(graph):
    """Strongly connected components of more than one node (Tarjan 1972)."""
    index, low, stack, on, found = {}, {}, [], set(), []
    sys.setrecursionlimit(10_000)

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        on.add(node)
        for to in graph[node]:
            if to not in index:
                visit(to)
            if to in on:
                low[node] = min(low[node], low[to])
        if low[node] == index[node]:
            part = []
            while not part or part[-1] != node:
                part.append(stack.pop())
                on.discard(part[-1])
            if len(part) > 1:
                found.append(sorted(part))

    for node in graph:
        if node not in index:
            visit(node)
    return found


for crate in sys.argv[1:] or sorted(p.name for p in ROOT.iterdir() if (p / "src").is_dir()):
    graph = edges(crate)
    parts = circles(graph)
    print(f"{crate}: {len(graph)} files, {sum(map(len, graph.values()))} edges, {len(parts)} circles")
    for part in parts:
        print(f"  {len(part)} files: {', '.join('/'.join(m) for m in part)}")
