"""The `darkroom` command: stdout is data, stderr is talk, exit codes are `darkroom.errors.Exit`.

Each command lives in the module of its name and is imported when it is called: `darkroom --help`
loads neither the database nor anybody's SDK.
"""

from __future__ import annotations

from typing import Final

import click

from darkroom.cli.invocation import global_options
from darkroom.cli.root import Root

SECTIONS: Final = {
    "Render": {
        "init": "Make darkroom.toml and a first manifest.",
        "check": "Say what is wrong with a manifest; nothing is written or sent.",
        "plan": "Say what a manifest would make and cost; nothing is sent.",
        "run": "Render a manifest to its end, here.",
        "submit": "Store a manifest's renders and leave them to the workers.",
    },
    "Look": {
        "job": "List, watch and steer jobs.",
        "review": "Approve and reject images of a job.",
        "report": "Write what became of each render of a job.",
        "export": "Write a job's images back into its catalog, or as other tools read them.",
        "cost": "Say what was spent, wasted and is at risk.",
        "models": "List models with their state and price per image.",
    },
    "Operate": {
        "pause": "Send nothing more, of any job, at once.",
        "resume": "Send again after `pause --all`.",
        "up": "Run broker, workers and clock on this machine until Ctrl-C.",
        "worker": "Start a worker process of a fleet, list them, or ask whether one lives.",
        "scheduler": "Start the clock of a fleet, or ask whether it ticks.",
        "backend": "Try a tier's provider without spending, and say what works.",
        "tier": "List tiers, show one, pause it and let it go on.",
        "inbox": "Watch folders whose manifests are rendered as they are dropped there.",
        "schedule": "Render by the clock: apply, list, run and pause schedules.",
        "notice": "Tell people and programs what happened: list, test and repeat notices.",
        "batch": "List, show, cancel and adopt batches at providers.",
        "metrics": "Serve the books to Prometheus.",
        "simulator": "Stand in for Google on loopback, for free.",
    },
    "Care": {
        "doctor": "Check this machine, and say how to mend what is wrong.",
        "audit": "Check the books against every invariant.",
        "config": "Show every setting and where it came from.",
        "db": "Bring the database up to date, or say where it is.",
    },
}


@click.group(
    cls=Root,
    sections=SECTIONS,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: darkroom init, then darkroom run example.csv",
)
@click.version_option(package_name="darkroom-render", message="darkroom %(version)s")
@global_options
def main() -> None:
    """Render manifests of image prompts in bulk: paid once, inside a budget, with books."""
