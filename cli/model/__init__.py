"""`walkaround model`: one application, one module a group of commands."""

from cli.lazy import lazy_typer

model_app = lazy_typer(
    {
        "info": "cli.model.card:info",
        "verify": "cli.model.card:verify",
        "list": "cli.model.registry:list_models",
        "publish": "cli.model.registry:publish",
        "promote": "cli.model.registry:promote",
        "rollback": "cli.model.registry:rollback",
        "data": "cli.model.training:data",
        "train": "cli.model.training:train",
        "evaluate": "cli.model.training:evaluate",
        "versions": "cli.model.versions:versions",
        "shadow": "cli.model.versions:shadow",
        "compare": "cli.model.versions:compare",
        "activate": "cli.model.versions:activate",
        "policy": "cli.model.policy:policy",
        "fit": "cli.model.policy:fit",
        "quantise": "cli.model.quantise:quantise",
    },
    help="Models: what they are, and which one is promoted.",
)
