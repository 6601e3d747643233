"""Command line: `python -m tools.render_faces plan|render|sheet|pack`."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from . import rejected
from .assets import WHEEL
from .emotions import EMOTIONS
from .plan import SETS


def _shard(text: str) -> tuple[int, int]:
    part, parts = (int(x) for x in text.split("/"))
    if not 0 <= part < parts:
        raise argparse.ArgumentTypeError("a shard is K/N with 0 <= K < N")
    return part, parts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.render_faces", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument(
            "--work", type=Path, default=Path("build/faces"), help="folder for rendered pictures (default: %(default)s)"
        )
        return sub

    plan = command("plan", "Write what would be rendered as JSON, and print a summary.")
    render = command("render", "Render what is missing of a set.")
    sheet = command("sheet", "Draw a contact sheet of what is rendered.")
    pack = command("pack", "Pack what is rendered into the data folder.")
    for sub in (render, sheet):
        sub.add_argument("--quality", help="survey, training or preview (default: the set's own)")
    for sub in (plan, render, sheet):
        sub.add_argument("--set", choices=SETS, required=True)
    render.add_argument("--wheel", type=Path, default=Path("build/faces") / WHEEL)
    render.add_argument("--threads", type=int, default=1, help="Cycles threads of one process")
    render.add_argument("--workers", type=int, default=1, help="processes of one thread each")
    render.add_argument("--shard", type=_shard, default=(0, 1), metavar="K/N")
    render.add_argument("--only", nargs="*", default=[], metavar="NAME")
    render.add_argument("--limit", type=int)
    sheet.add_argument("--out", type=Path, required=True)
    sheet.add_argument("--size", type=int, default=160)
    sheet.add_argument("--columns", type=int, default=7)
    sheet.add_argument("--first", type=int, default=0)
    sheet.add_argument("--count", type=int, default=1000)
    pack.add_argument("--data", type=Path, default=Path("data/faces"))
    return parser


def _summary(name: str) -> str:
    plan = SETS[name]()
    lead = Counter(EMOTIONS[max(range(7), key=f.mixture.__getitem__)] for f in plan.faces)
    lines = [
        f"{name}: {len(plan.faces)} faces of {len(plan.people)} people",
        f"  splits {dict(Counter(f.split for f in plan.faces))}",
        f"  kinds {dict(Counter(f.kind for f in plan.faces))}",
        f"  leading emotion {dict(lead)}",
        f"  hair {dict(Counter(p.style for p in plan.people.values()))}",
        f"  rejected: {len(rejected.PEOPLE)} people, {len(rejected.FACES)} faces",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    if args.command == "plan":
        plan = SETS[args.set]()
        args.work.mkdir(parents=True, exist_ok=True)
        content = {
            "emotions": EMOTIONS,
            "people": [asdict(p) for p in plan.people.values()],
            "faces": [asdict(f) for f in plan.faces],
            "rejected": {"people": rejected.PEOPLE, "faces": rejected.FACES},
        }
        (args.work / f"{args.set}-plan.json").write_text(json.dumps(content, indent=1))
        print(_summary(args.set))
        return 0

    # Blender takes a second to import, so the plan does without it.
    from . import render, sheet
    from .scene import QUALITIES

    if args.command == "render":
        quality = args.quality or args.set
        folder = args.work / (args.set if quality == args.set else f"{args.set}-{quality}")
        if args.workers > 1:
            return render.run_parallel(args.set, quality, folder, args.wheel, args.workers)
        render.run(args.set, quality, folder, args.wheel, args.threads, args.shard, args.only, args.limit)
    elif args.command == "sheet":
        quality = args.quality or args.set
        folder = args.work / (args.set if quality == args.set else f"{args.set}-{quality}")
        plan = SETS[args.set]()
        faces = list(plan.faces)[args.first : args.first + args.count]
        args.out.parent.mkdir(parents=True, exist_ok=True)
        sheet.contact_sheet(plan, QUALITIES[quality], folder, faces, args.size, args.columns).save(args.out)
    elif args.command == "pack":
        from . import pack

        print("survey:", pack.pack_survey(SETS["survey"](), QUALITIES["survey"], args.work / "survey", args.data))
        print(
            "training:",
            pack.pack_training(SETS["training"](), QUALITIES["training"], args.work / "training", args.data),
        )
        pack.write_checksums(args.data)
    return 0
