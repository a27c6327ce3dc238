"""Every public function documents its arguments: shape, unit, frame; nothing says less than a name.

`python -m tests.test_docstrings FOLDER...` lists what is missing below some folders.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("preprocessing", "models", "data", "pipeline", "src/hounsfield/__init__.py")
MIN_WORDS = 4
MIN_ATTRIBUTE_WORDS = 3
EMPTY_STARTS = (
    "that of",
    "those of",
    "of ",
    "the same",
    "as for ",
    "as told",
    "that is told",
    "how.",
)
SECTIONS = r"(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note|References):"


def documented_arguments(docstring: str) -> dict[str, str]:
    """The text of each entry of the `Args` section, by name."""
    section = re.search(rf"^Args:\n(.*?)(?=^{SECTIONS}$|\Z)", docstring, re.MULTILINE | re.DOTALL)
    if section is None:
        return {}
    entries = re.split(r"^    (?=\*{0,2}\w+(?: \([^)]*\))?:)", section.group(1), flags=re.MULTILINE)
    pairs = (entry.split(":", 1) for entry in entries if ":" in entry)
    return {name.strip(" *").split(" ")[0]: " ".join(text.split()) for name, text in pairs}


def faults_of(function: ast.FunctionDef, where: str, *, is_method: bool) -> list[str]:
    """What is wrong with the docstring of a function."""
    arguments = [
        argument.arg
        for argument in (
            *function.args.posonlyargs,
            *function.args.args,
            *function.args.kwonlyargs,
            *filter(None, (function.args.vararg, function.args.kwarg)),
        )
        if argument.arg not in {"self", "cls"}
    ]
    if len(arguments) < (2 if is_method else 1):
        return []
    docstring = inspect.cleandoc(ast.get_docstring(function) or "")
    documented = documented_arguments(docstring)
    name = f"{where}:{function.lineno} {function.name}"
    faults = [
        f"{name}: {argument} is not in Args" for argument in arguments if argument not in documented
    ]
    for argument, text in documented.items():
        if len(text.split()) < MIN_WORDS or text.lower().startswith(EMPTY_STARTS):
            faults.append(f"{name}: {argument}: {text!r} says too little")
    gives = function.returns is not None and ast.unparse(function.returns) not in {
        "None",
        "NoReturn",
    }
    says_it = re.match(r"(Return|Whether|Yield)", docstring) or re.search(
        r"^(Returns|Yields):", docstring, re.MULTILINE
    )
    if gives and not is_method and not says_it:
        faults.append(f"{name}: no Returns")
    return faults


def class_faults(node: ast.ClassDef, where: str) -> list[str]:
    """What is wrong with the arguments and attributes that a class documents."""
    docstring = inspect.cleandoc(ast.get_docstring(node) or "")
    entries = documented_arguments(docstring)
    entries |= documented_arguments(docstring.replace("Attributes:", "Args:"))
    return [
        f"{where}:{node.lineno} {node.name}: {name}: {text!r} says too little"
        for name, text in entries.items()
        if len(text.split()) < MIN_ATTRIBUTE_WORDS or text.lower().startswith(EMPTY_STARTS)
    ]


def is_command(function: ast.FunctionDef) -> bool:
    """Whether a function is a command of the command line: its options carry their own help."""
    return any(".command" in ast.unparse(decorator) for decorator in function.decorator_list)


def faults_below(path: Path) -> list[str]:
    """What is wrong with the docstrings of a file's public functions and methods."""
    where = str(path.relative_to(REPOSITORY))
    faults = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        members = [node]
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            members = node.body
            faults += class_faults(node, where)
        for member in members:
            public = isinstance(member, ast.FunctionDef) and not member.name.startswith("_")
            if public and not is_command(member):
                faults += faults_of(member, where, is_method=member is not node)
    return faults


def python_files(names: tuple[str, ...]) -> list[Path]:
    """The Python files below some folders, or those files themselves."""
    paths = [REPOSITORY / name for name in names]
    return [
        file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])
    ]


def test_every_public_function_documents_its_arguments():
    faults = [fault for path in python_files(PACKAGES) for fault in faults_below(path)]
    assert not faults, "\n".join(faults)


if __name__ == "__main__":
    missing = [
        fault
        for path in python_files(tuple(sys.argv[1:]) or PACKAGES)
        for fault in faults_below(path)
    ]
    sys.stdout.write("\n".join((*missing, str(len(missing)), "")))
