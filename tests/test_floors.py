"""A module imports only from its own room or a lower floor: the design, kept true by a test."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tryon"
FLOORS = (  # lowest first; a folder is one room; rooms of one floor have no doors between them
    {"compatibility", "continuation", "images", "metadata"},
    {"conditions", "hub"},
    {"call", "checkpoint", "devices"},
    {"models", "preprocessing", "diffusion"},
    {"ends", "kept", "mirrored"},
    {"detail", "replaced"},
    {"underneath"},
    {"finish"},
    {"pipeline", "synthetic"},
    {"fashn_pipeline"},
    {"zoo"},
    {"publish", "benchmark"},
    {"batch_command", "zoo_command"},
    {"training", "web", "__main__"},
)
MODULES = sorted(set(PACKAGE.rglob("*.py")) - {PACKAGE / "__init__.py"})


def names_imported(path: Path) -> list[str]:
    """Dotted names that the module at `path` imports, at any depth of its code."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    level = next(level for level, rooms in enumerate(FLOORS) if room in rooms)
    rooms = {name.split(".")[1] for name in names_imported(path) if name.startswith("tryon.")}
    assert rooms <= set().union({room}, *FLOORS[:level])


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_app_knows_gradio_and_nothing_needs_torchvision(path: Path):
    packages = {name.split(".")[0] for name in names_imported(path)}
    room = path.relative_to(PACKAGE).parts[0]
    assert not packages & ({"app", "torchvision", "timm"} | (set() if room == "web" else {"gradio", "spaces"}))


def test_the_app_leaves_training_and_the_studio_alone():
    names = [name for path in (ROOT / "app.py", *(PACKAGE / "web").glob("*.py")) for name in names_imported(path)]
    assert not [name for name in names if name.startswith(("tryon.training", "tryon.synthetic"))]
