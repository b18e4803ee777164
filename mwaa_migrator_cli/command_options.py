"""What several commands share: options, exit codes, and the end of a command that cannot do its work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

#: Exit codes.
FINE, FAILED, WRONG_INPUT, NOTEWORTHY = 0, 1, 2, 3

FILE = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_STACK = click.option(
    "--stack", default="mwaa-migrator", show_default=True, help="The application's CloudFormation stack."
)
_AWS = (
    click.option("--region", help="The region. Default: the SDK's."),
    click.option("--profile", help="The SDK's profile with the credentials."),
    click.option("--local", is_flag=True, help="Talk to the local AWS (python -m local up), not to an account."),
    click.option("--local-name", metavar="NAME", help="The same, where several of them run."),
)


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say which AWS."""
    for option in reversed(_AWS):
        command = option(command)
    return command


def account_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options that say which stack in which AWS."""
    return _STACK(aws_options(command))


def choose_aws(*, region: str | None, profile: str | None, local: bool, local_name: str | None, **_: Any) -> None:
    """Has the command talk to the AWS that its options say."""
    from . import account

    account.choose(region=region, profile=profile, local=local_name or ("default" if local else None))


@contextmanager
def explaining_failures() -> Iterator[None]:
    """Ends the command with a sentence for what is not there and for what AWS refuses, in place of a trace."""
    from botocore.exceptions import BotoCoreError, ClientError

    from .account import NotFound

    try:
        yield
    except NotFound as error:
        reject([str(error)])
    except BotoCoreError as error:
        # No credentials, no such profile, no such region, no way to the endpoint: nothing to work with.
        reject([str(error)])
    except ClientError as error:
        click.secho(str(error), fg="red", err=True)
        sys.exit(FAILED)


def reject(problems: list[str]) -> NoReturn:
    """Ends the command with a line for each problem."""
    for problem in problems:
        click.secho(problem, fg="red", err=True)
    sys.exit(WRONG_INPUT)
