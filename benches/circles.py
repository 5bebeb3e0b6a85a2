"""The import cycles inside each crate: files that refer to each other, directly or through other files.

    python3 benches/circles.py            every crate
    python3 benches/circles.py tape cli   some
    python3 benches/circles.py -v tape    with the edges inside each circle

A file is a node (mod.rs and lib.rs are the nodes of their folders). A path that refers to an item in another file is an edge to
the file where the item is written, also if a folder re-exports it. A re-export is no edge itself. Tests are left out.
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


def written_out(path):
    """A path with its group of names expanded: `a::{b, c::d}` is a::b and a::c::d."""
    stem, brace, group = path.partition("{")
    words = [w for w in stem.split("::") if w]
    names = [n.strip().split(" ")[0] for n in group.rstrip("}").split(",")] if brace else [""]
    return [words + [w for w in name.split("::") if w] for name in names if name or not brace]


PATH = r"(?<![\w:])(\w+(?:::\w+)*(?:::\w+|::\{[^{}]*\}))"


def edges(crate):
    src = ROOT / crate / "src"
    files = {module(p, src): p for p in src.rglob("*.rs") if "tests" not in p.relative_to(src).as_posix()}
    texts = {m: re.sub(r"//[^\n]*", "", p.read_text().split("#[cfg(test)]")[0]) for m, p in files.items()}

    def resolved(here, words):
        """The module at which a path starts, and the rest of the path; None for a path outside this crate."""
        if words[0] in imported[here]:
            return imported[here][words[0]], words[1:]
        at = {"crate": (), "super": here[:-1], "self": here}.get(words[0])
        if at is None:
            return (here, words) if here + (words[0],) in files else None
        rest = words[1:]
        while rest and rest[0] == "super":
            at, rest = at[:-1], rest[1:]
        return at, rest

    # Modules that a file imports as modules: `use crate::rules;`. The edges are the items that it takes from them.
    imported = {m: {} for m in files}
    for here, text in texts.items():
        for path in re.findall(r"(?<!pub )\buse\s+(?:" + PATH + ")", text):
            for words in written_out(path):
                at, rest = resolved(here, words) or ((), [""])
                if at + tuple(rest) in files and at + tuple(rest):
                    imported[here][words[-1]] = at + tuple(rest)
    exports = {}
    for here, text in texts.items():
        for path in re.findall(r"\bpub(?:\(\w+\))?\s+use\s+" + PATH, text):
            for words in written_out(path):
                if found := resolved(here, words):
                    exports[here + (words[-1],)] = found

    def home(at, rest):
        """The file that declares the item of a path."""
        for _ in range(8):
            while rest and at + (rest[0],) in files:
                at, rest = at + (rest[0],), rest[1:]
            if not rest or at + (rest[0],) not in exports:
                break
            base, words = exports[at + (rest[0],)]
            at, rest = base, words + rest[1:]
        return at

    graph = {m: set() for m in files}
    for here, text in texts.items():
        text = re.sub(r"\bpub(?:\(\w+\))?\s+use\s[^;]*;", "", text)
        for path in re.findall(PATH, text):
            for words in written_out(path):
                if words and (found := resolved(here, words)):
                    at = home(*found)
                    if at and at != here and at != imported[here].get(words[-1]):
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


verbose = "-v" in sys.argv
for crate in [a for a in sys.argv[1:] if a != "-v"] or sorted(p.name for p in ROOT.iterdir() if (p / "src").is_dir()):
    graph = edges(crate)
    parts = circles(graph)
    print(f"{crate}: {len(graph)} files, {sum(map(len, graph.values()))} edges, {len(parts)} circles")
    for part in parts:
        print(f"  {len(part)} files: {', '.join('/'.join(m) for m in part)}")
        for m in part if verbose else []:
            inside = sorted("/".join(to) for to in graph[m] if to in part)
            print(f"    {'/'.join(m)} -> {', '.join(inside)}")
