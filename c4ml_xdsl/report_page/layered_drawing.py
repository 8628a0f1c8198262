"""
A directed graph without cycles, drawn in ranks from top to bottom. Numbers alone: nothing here knows networks.

A node stands one rank below the last one that it follows. Edges that pass ranks have a bend in each of them. Nodes of a
rank are ordered by the middle of their neighbours, in sweeps down and up of which the one with the fewest crossings is
kept, and then stand as near below and above these as the widths allow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

SWEEPS = 8
MOST_COMPARED = 1 << 18
"""Pairs of edges that crossings are counted for: beyond, the last order is as good as any."""
PLACEMENTS = 40
"""Sweeps that place the nodes of all ranks."""
STRAIGHT, CHAINED = 16.0, 12.0
"""How much more a bend is drawn to the next one of its edge, or a node to its only neighbour, than others are."""


@dataclass(frozen=True)
class Size:
    """A node's width and height."""

    width: float
    height: float


@dataclass(frozen=True)
class Spacing:
    """The free space between neighbours of a rank and between ranks, and the height of the stem below each node."""

    beside: float
    below: float
    stem: float
    bend: float = 16.0
    """The width that an edge takes where it passes a rank."""
    apart: float = 22.0
    """The distance between the edges that enter a node."""


@dataclass(frozen=True)
class Drawing:
    """Where everything is: the middle of each node's upper side, each edge's points from the top down, and the size."""

    nodes: tuple[tuple[float, float], ...]
    edges: tuple[tuple[tuple[float, float], ...], ...]
    width: float
    height: float


@dataclass
class _Vertex:
    """A node, or a bend of an edge."""

    rank: int
    width: float
    height: float = 0.0
    bend: bool = False
    above: list[int] = field(default_factory=list[int])
    below: list[int] = field(default_factory=list[int])
    x: float = 0.0


def draw(sizes: Sequence[Size], edges: Sequence[tuple[int, int]], spacing: Spacing) -> Drawing:
    """The drawing of nodes by their numbers; each edge leads from a node to a later one."""
    ranks_of = _ranks(len(sizes), edges)
    vertices = [_Vertex(rank, size.width, size.height) for rank, size in zip(ranks_of, sizes, strict=True)]
    chains: list[list[int]] = []
    for source, target in edges:
        chain = [source]
        for rank in range(ranks_of[source] + 1, ranks_of[target]):
            vertices.append(_Vertex(rank, spacing.bend, bend=True))
            chain.append(len(vertices) - 1)
        chain.append(target)
        for before, behind in pairwise(chain):
            vertices[before].below.append(behind)
            vertices[behind].above.append(before)
        chains.append(chain)
    ranks: list[list[int]] = [[] for _ in range(max(ranks_of, default=-1) + 1)]
    for number, vertex in enumerate(vertices):
        ranks[vertex.rank].append(number)
    ranks = _ordered(vertices, ranks)
    _place(vertices, ranks, spacing.beside)
    return _drawn(vertices, ranks, chains, len(sizes), spacing)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """Each node's rank; what follows nothing stands right above the first one that follows it."""
    ranks = [0] * count
    followers: list[list[int]] = [[] for _ in range(count)]
    follows = [False] * count
    for source, target in sorted(edges):
        followers[source].append(target)
        follows[target] = True
    for node in range(count):
        for target in followers[node]:
            ranks[target] = max(ranks[target], ranks[node] + 1)
    for node in range(count):
        if not follows[node] and followers[node]:
            ranks[node] = min(ranks[each] for each in followers[node]) - 1
    return ranks


def _ordered(vertices: Sequence[_Vertex], ranks: list[list[int]]) -> list[list[int]]:
    best, fewest = ranks, _crossings(vertices, ranks)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        ranks = [list(rank) for rank in ranks]
        down = sweep % 2 == 0
        for index in range(len(ranks)) if down else reversed(range(len(ranks))):
            place = {number: position for rank in ranks for position, number in enumerate(rank)}

            def middle(number: int, down: bool = down, place: dict[int, int] = place) -> float:
                neighbours = vertices[number].above if down else vertices[number].below
                return median(place[each] for each in neighbours) if neighbours else place[number]

            ranks[index].sort(key=middle)
        found = _crossings(vertices, ranks)
        if found < fewest:
            best, fewest = ranks, found
    return best


def _crossings(vertices: Sequence[_Vertex], ranks: Sequence[Sequence[int]]) -> int:
    place = {number: position for rank in ranks for position, number in enumerate(rank)}
    found = 0
    for rank in ranks:
        ends = [(place[number], place[each]) for number in rank for each in vertices[number].below]
        if len(ends) ** 2 > MOST_COMPARED:
            continue
        found += sum((a - c) * (b - d) < 0 for index, (a, b) in enumerate(ends) for c, d in ends[:index])
    return found


def _place(vertices: Sequence[_Vertex], ranks: Sequence[Sequence[int]], beside: float) -> None:
    """Gives each vertex its x, in sweeps down and up that move it towards its neighbours."""
    for rank in ranks:
        for vertex, x in zip(rank, _apart(vertices, rank, [0.0] * len(rank), [1.0] * len(rank), beside), strict=True):
            vertices[vertex].x = x
    pulls = [
        [(each, _pull(vertices, number, each)) for each in (*mine.above, *mine.below)]
        for number, mine in enumerate(vertices)
    ]
    for sweep in range(PLACEMENTS):
        for rank in ranks if sweep % 2 == 0 else reversed(ranks):
            totals = [sum(pull for _, pull in pulls[number]) for number in rank]
            wanted = [
                sum(pull * vertices[each].x for each, pull in pulls[number]) / total if total else vertices[number].x
                for number, total in zip(rank, totals, strict=True)
            ]
            for number, x in zip(
                rank, _apart(vertices, rank, wanted, [each or 0.01 for each in totals], beside), strict=True
            ):
                vertices[number].x = x


def _pull(vertices: Sequence[_Vertex], one: int, other: int) -> float:
    """How much two neighbours are drawn to each other: edges that pass ranks and chains of nodes are to be straight."""
    upper, lower = sorted((vertices[one], vertices[other]), key=lambda vertex: vertex.rank)
    if upper.bend and lower.bend:
        return STRAIGHT
    return CHAINED if len(upper.below) == 1 and len(lower.above) == 1 else 1.0


def _apart(
    vertices: Sequence[_Vertex], rank: Sequence[int], wanted: Sequence[float], weights: Sequence[float], beside: float
) -> list[float]:
    """The places nearest to those wanted, by weighted squares, at which a rank's vertices don't overlap."""
    offsets = [0.0]
    for left, right in pairwise(rank):
        offsets.append(offsets[-1] + (vertices[left].width + vertices[right].width) / 2 + beside)
    # without the offsets the places must not fall: neighbours that would are put at their mean
    blocks: list[tuple[float, float, int]] = []
    for place, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, total, size = place - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            before, heavy, many = blocks.pop()
            mean, total, size = (before * heavy + mean * total) / (heavy + total), heavy + total, many + size
        blocks.append((mean, total, size))
    means = [mean for mean, _, size in blocks for _ in range(size)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _drawn(
    vertices: Sequence[_Vertex],
    ranks: Sequence[Sequence[int]],
    chains: Sequence[Sequence[int]],
    count: int,
    spacing: Spacing,
) -> Drawing:
    left = min((vertex.x - vertex.width / 2 for vertex in vertices), default=0.0)
    right = max((vertex.x + vertex.width / 2 for vertex in vertices), default=0.0)
    tops: list[float] = []
    heights = [max(vertices[number].height for number in rank) for rank in ranks]
    y = 0.0
    for height in heights:
        tops.append(y)
        y += height + spacing.stem + spacing.below
    entering: list[list[int]] = [[] for _ in range(count)]
    for index, chain in enumerate(chains):
        entering[chain[-1]].append(index)
    entry: dict[int, float] = {}
    for target, mine in enumerate(entering):
        mine.sort(key=lambda index: (vertices[chains[index][-2]].x, index))
        for position, index in enumerate(mine):
            entry[index] = vertices[target].x - left + (position - (len(mine) - 1) / 2) * spacing.apart
    edges: list[tuple[tuple[float, float], ...]] = []
    for index, chain in enumerate(chains):
        source = vertices[chain[0]]
        bottom = tops[source.rank] + source.height
        points = [(source.x - left, bottom), (source.x - left, tops[source.rank] + heights[source.rank] + spacing.stem)]
        for number in chain[1:-1]:
            bend = vertices[number]
            points.append((bend.x - left, tops[bend.rank]))
            points.append((bend.x - left, tops[bend.rank] + heights[bend.rank] + spacing.stem))
        points.append((entry[index], tops[vertices[chain[-1]].rank]))
        edges.append(tuple((round(x, 1), round(y, 1)) for x, y in points))
    nodes = tuple((round(each.x - left, 1), tops[each.rank]) for each in vertices[:count])
    last = tops[-1] + heights[-1] if ranks else 0.0
    return Drawing(nodes, tuple(edges), round(right - left, 1), last)
