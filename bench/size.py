"""Sizes of the sources, the wheel and the installed package: `python -m bench.size [wheel]`."""

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = {"csrc": (".h", ".cpp"), "python": (".py",), "tests": (".py",), "bench": (".py",)}
FILE_LINES, FILE_CEILING, FUNCTION_LINES = 400, 500, 60
WHEEL_BYTES, INSTALLED_BYTES = 5_000_000, 12_000_000

COMMENTS_AND_TEXTS = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | R"\((?:.*?)\)" | "(?:\\.|[^"\\\n])*" | (?<!\w)'(?:\\.|[^'\\\n])*'
    | ^[ \t]*\#(?:[^\n]*\\\n)*[^\n]*""",
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)
CONTAINER = re.compile(
    r'\b(?:namespace|class|struct|union|enum|extern\s*"?"?)\b(?!.*\))', re.DOTALL
)


@dataclass(frozen=True)
class Function:
    """A function of the sources; `lines` leave a docstring out."""

    name: str
    path: Path
    line: int
    lines: int
    parameters: int

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.name}"


def sources(folder: str) -> list[Path]:
    """Return the sources under a folder of the root, sorted."""
    paths = (ROOT / folder).rglob("*")
    return sorted(path for path in paths if path.suffix in FOLDERS[folder])


def length(path: Path) -> int:
    return len(path.read_text().splitlines())


def functions(path: Path) -> list[Function]:
    """Return the functions of a Python or C++ file."""
    return list((_python if path.suffix == ".py" else _cpp)(path))


def _python(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0], node.end_lineno or node.lineno
            docstring = 0
            if ast.get_docstring(node, clean=False) is not None:
                docstring = (first.end_lineno or first.lineno) - first.lineno + 1
            positional = node.args.posonlyargs + node.args.args
            count = sum(argument.arg not in ("self", "cls") for argument in positional)
            yield Function(node.name, path, node.lineno, last - node.lineno + 1 - docstring, count)


def _cpp(path: Path) -> Iterator[Function]:
    """Find functions by their braces: a head with parentheses, outside any other function."""
    text = COMMENTS_AND_TEXTS.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text())
    enclosing: list[tuple[str, int]] = []
    head_at = 0
    for found in re.finditer(r"[{};]", text):
        at, mark = found.start(), found[0]
        if mark == "{":
            head = text[head_at:at]
            inside = any(kind != "container" for kind, _ in enclosing)
            kind = "block" if inside else _kind(head)
            enclosing.append((kind, head_at + len(head) - len(head.lstrip())))
        elif mark == "}" and enclosing:
            kind, begin = enclosing.pop()
            if kind == "function":
                yield _function(path, text, begin, at)
        # A constructor's list of members, a(x), b{y}, belongs to the head that it continues.
        if mark != "}" or not re.match(r"\s*[,{]", text[at + 1 :]):
            head_at = at + 1


def _kind(head: str) -> str:
    if CONTAINER.search(re.sub(r"\btemplate\s*<[^{}]*?>\s*(?=[a-z])", "", head)):
        return "container"
    return "function" if "(" in head and not head.rstrip().endswith(("=", ",", "(")) else "block"


def _function(path: Path, text: str, begin: int, end: int) -> Function:
    head = re.sub(r"^\s*template\s*<[^>]*>+", "", text[begin : text.index("{", begin)])
    name = re.search(r"([\w:~]+|operator\W+)\s*\(", head)
    arguments = _arguments(head)
    lines = text.count("\n", begin, end) + 1
    line = text.count("\n", 0, begin) + 1
    return Function(name[1] if name else "?", path, line, lines, arguments)


def _arguments(head: str) -> int:
    """Count the arguments in the first parentheses of a function's head."""
    depth, count, filled = 0, 0, False
    for mark in head[head.find("(") :]:
        depth += (mark in "(<[") - (mark in ")>]")
        count += mark == "," and depth == 1
        filled |= depth > 0 and not mark.isspace() and mark != "("
        if depth == 0:
            break
    return count + filled


def over_budget() -> list[str]:
    """Return what is larger than the house allows, one line each."""
    found = []
    for path in (path for folder in FOLDERS for path in sources(folder)):
        if length(path) > FILE_CEILING:
            found.append(f"{path.relative_to(ROOT)}: {length(path)} lines (at most {FILE_CEILING})")
        for function in functions(path):
            if function.lines > FUNCTION_LINES:
                found.append(f"{function}: {function.lines} lines (at most {FUNCTION_LINES})")
    return found


def installed_bytes() -> int:
    """Return the bytes of the package that is installed, without compiled caches."""
    from fastnn import _core

    core = Path(_core.__file__)
    paths = {core, *core.parent.rglob("*")}
    if not (core.parent / "__init__.py").exists():  # an editable install: the rest lies here
        paths |= set((ROOT / "python" / "fastnn").rglob("*"))
    return sum(p.stat().st_size for p in paths if p.is_file() and p.suffix != ".pyc")


def report() -> None:
    print(f"{'folder':<8} {'files':>5} {'lines':>6}  longest file, longest function")
    for folder in FOLDERS:
        paths = sources(folder)
        if not paths:
            continue
        longest = max(paths, key=length)
        every = [function for path in paths for function in functions(path)]
        most = max(every, key=lambda function: function.lines)
        print(
            f"{folder:<8} {len(paths):>5} {sum(map(length, paths)):>6}  "
            f"{longest.relative_to(ROOT)} {length(longest)}, {most} {most.lines}"
        )
        for path in paths:
            if length(path) > FILE_LINES:
                print(f"  above {FILE_LINES} lines: {path.relative_to(ROOT)} {length(path)}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__)
    parser.add_argument("wheel", nargs="?", type=Path, help="a built wheel to measure")
    arguments = parser.parse_args()
    report()
    problems = over_budget()
    sizes = [("installed package", installed_bytes(), INSTALLED_BYTES)]
    if arguments.wheel:
        sizes.append(("wheel", arguments.wheel.stat().st_size, WHEEL_BYTES))
    for what, size, budget in sizes:
        print(f"{what}: {size / 1e6:.2f} MB (at most {budget / 1e6:.0f})")
        if size > budget:
            problems.append(f"{what}: {size} bytes (at most {budget})")
    print("\n".join(problems) or "within the budgets")
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
