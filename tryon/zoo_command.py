"""`python -m tryon zoo list|info|download|verify|push`: the zoo from a shell.

Results are lines on stdout, one JSON object where a program may want to read them; what is wrong is one sentence on
stderr and exit code 2.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Arguments of the sub-command."""
    parser = argparse.ArgumentParser(prog="python -m tryon zoo", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    named = {"help": "name, folder or org/repo@commit"}
    commands.add_parser("list", help="the table of checkpoints, in Markdown")
    info = commands.add_parser("info", help="all that is known about a checkpoint, as JSON")
    info.add_argument("name", **named)
    download = commands.add_parser("download", help="fetch a checkpoint, so that it works offline; prints its folder")
    download.add_argument("name", **named)
    verify = commands.add_parser("verify", help="check files, hashes, classes and settings of a checkpoint")
    verify.add_argument("name", **named)
    push = commands.add_parser("push", help="publish a checkpoint on the Hub; prints org/repo@commit")
    push.add_argument("name", **named)
    push.add_argument("repo_id", metavar="ORG/REPO")
    push.add_argument("--license", help="SPDX identifier, if the checkpoint's own README.md does not say it")
    push.add_argument("--example", nargs=2, type=Path, metavar=("PERSON", "GARMENT"), help="photos for the card")
    push.add_argument("--private", action="store_true", help="hide a new repository from others")
    push.add_argument("--out", type=Path, metavar="FOLDER", help="write the repository there and upload nothing")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Do what is asked for; returns what to print.

    Raises:
        ValueError, OSError: in words for the user.
    """
    from tryon import zoo  # after the arguments are known to be good: it takes seconds

    if options.command == "list":
        return zoo.markdown_table()
    if options.command == "info":
        return json.dumps(describe(options.name), indent=2, ensure_ascii=False)
    if options.command == "download":
        return str(zoo.fetch_checkpoint(options.name))
    if options.command == "verify":
        return f"{zoo.verify(options.name)}: files, classes and settings are as they should be."
    from tryon import publish

    asked = (options.name, options.repo_id)
    if options.out is not None:
        publish.write_repository(*asked, options.out, options.license, options.example)
        return str(options.out)
    with tempfile.TemporaryDirectory() as folder:
        return publish.push(*asked, Path(folder) / "repository", options.license, options.example, options.private)


def describe(name: str) -> dict:
    """What `info` prints."""
    from tryon import zoo
    from tryon.checkpoint import HASHES, count_parameters, read_json

    row = zoo.find_checkpoint(name)
    if row is not None:
        return {**asdict(row), "source": row.source, "obstacle": zoo.obstacle(row)}
    folder = Path(zoo.fetch_checkpoint(name))
    hashes = read_json(folder / HASHES) if (folder / HASHES).is_file() else None
    return {"name": name, "folder": str(folder), "parameters": count_parameters(folder), "sha256": hashes}


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    options = parse_arguments(arguments)
    try:
        print(run(options))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0
