"""YAML read with the line of every value, so that a fault names its place.

Here: text to plain data plus a map from path to line; faults of the YAML itself.
Not here: what the fields mean (``families.py``, ``raw_schema.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

Path = tuple[str | int, ...]

# libyaml's parser is about eight times faster than the Python one and gives the same marks
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SAFE = yaml.constructor.SafeConstructor()
_SCALARS: dict[str, Callable[[yaml.ScalarNode], Any]] = {
    "tag:yaml.org,2002:null": _SAFE.construct_yaml_null,
    "tag:yaml.org,2002:bool": _SAFE.construct_yaml_bool,
    "tag:yaml.org,2002:int": _SAFE.construct_yaml_int,
    "tag:yaml.org,2002:float": _SAFE.construct_yaml_float,
    "tag:yaml.org,2002:timestamp": _SAFE.construct_yaml_timestamp,
    "tag:yaml.org,2002:str": lambda node: node.value,
}


@dataclass
class MarkedDocument:
    """Plain data of one file with the 1-based line of every value.

    Attributes:
        data: Mappings, lists and scalars as YAML's safe schema reads them.
        lines: Line of the value (of its key inside a mapping) at each path.
        faults: ``(line, text)`` of what is wrong with the YAML itself.
    """

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)

    def line(self, path: Path) -> int:
        """Line of the value at a path, or of its nearest declared parent."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_marked(text: str) -> MarkedDocument:
    """Read YAML text; every fault of form is recorded, none is raised.

    Duplicate keys are faults: YAML would silently keep the last one.
    """
    document = MarkedDocument()
    try:
        root = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "is not YAML"
        document.faults.append((mark.line + 1 if mark else 1, f"not readable as YAML: {problem}"))
        return document
    if root is None:
        document.faults.append((1, "the file is empty"))
        return document
    document.data = _construct(root, (), document)
    return document


def _construct(node: Any, path: Path, document: MarkedDocument) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return dict(_pairs(node, path, document))
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, i), document) for i, item in enumerate(node.value)]
    if node.tag == "tag:yaml.org,2002:str":
        return node.value
    return _scalar(node, document)


def _pairs(
    node: yaml.MappingNode, path: Path, document: MarkedDocument
) -> Iterator[tuple[Any, Any]]:
    seen: dict[Any, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            document.faults.append((line, "a key is not a plain value"))
            continue
        key = _scalar(key_node, document)
        if key in seen:
            document.faults.append(
                (line, f"the key {key} is declared twice, first on line {seen[key]}")
            )
            continue
        seen[key] = line
        document.lines[(*path, key)] = line
        yield key, _construct(value_node, (*path, key), document)


def _scalar(node: yaml.ScalarNode, document: MarkedDocument) -> Any:
    read = _SCALARS.get(node.tag)
    try:
        if read is not None:
            return read(node)
    except ValueError:
        pass
    line = node.start_mark.line + 1
    document.faults.append((line, f"the value {node.value!r} cannot be read as {node.tag}"))
    return None
