"""`sworn keys create|list|revoke`."""

import argparse
import asyncio
import sys
from datetime import timedelta
from typing import Any, Final

from api.cli.common import add_command, add_json, print_json, settings_of
from api.cli.local import client, operator_key, own_journal, sent, server_url
from api.routes.keys import key_row
from rag.domain.document import Principal
from rag.settings import Settings

EXAMPLES = """
  sworn keys create --name "HR bot" --principal hr-bot --group staff --group hr
  sworn keys list
  sworn keys revoke 3f9a1c20b7de
"""


SCOPES: Final = ("ask", "operate", "delegate")


def add_to(commands: Any) -> None:
    parser = add_command(commands, "keys", run, "create, list and revoke API keys", EXAMPLES)
    parser.add_argument("action", choices=("create", "list", "revoke"))
    parser.add_argument("id", nargs="?", help="the key to revoke")
    parser.add_argument("--name", default="", help="what the key is for")
    parser.add_argument("--principal", help="who asks with it (default: the name)")
    parser.add_argument("--group", action="append", default=[], help="group of the principal")
    parser.add_argument("--scope", action="append", choices=SCOPES, help="default: ask")
    parser.add_argument("--days", type=float, help="expires after this many days")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Works at the running server, or on the data folder when none runs."""
    if arguments.action == "revoke" and not arguments.id:
        print(
            "sworn: keys revoke needs the id of a key; `sworn keys list` shows them",
            file=sys.stderr,
        )
        return 2
    settings = settings_of(arguments)
    url = server_url(settings)
    rows = (
        asyncio.run(_here(settings, arguments))
        if url is None
        else _at_server(url, settings, arguments)
    )
    if arguments.json:
        print_json(rows)
    else:
        _print(rows, arguments.action)
    return 0


def _print(rows: list[dict[str, Any]], action: str) -> None:
    for row in rows:
        state = "revoked" if row["revoked_at"] else f"expires {row['expires_at'] or 'never'}"
        groups = ", ".join(row["groups"]) or "no groups"
        scopes = "+".join(row["scopes"])
        print(f"{row['id']}  {row['name']}  {row['principal']} ({groups})  {scopes}  {state}")
        if action == "create":
            print(
                f"\n{row['secret']}\n\nKeep it now: it is stored hashed and cannot be shown again."
            )
    if action == "revoke":
        print("revoked")


def _at_server(url: str, settings: Settings, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    with client(url, operator_key(settings)) as http:
        if arguments.action == "list":
            rows: list[dict[str, Any]] = sent(http.get("/v1/keys"))
            return rows
        if arguments.action == "revoke":
            sent(http.delete(f"/v1/keys/{arguments.id}"))
            return []
        request = {
            "name": arguments.name or arguments.principal or "key",
            "principal": arguments.principal or arguments.name or "key",
            "groups": arguments.group,
            "scopes": arguments.scope or ["ask"],
            "lifetime_days": arguments.days,
        }
        return [sent(http.post("/v1/keys", json=request))]


async def _here(settings: Settings, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    async with own_journal(settings) as journal:
        if arguments.action == "list":
            return [key_row(key) for key in await journal.keys()]
        if arguments.action == "revoke":
            await journal.revoke_key(arguments.id)
            return []
        name = arguments.name or arguments.principal or "key"
        principal = Principal(id=arguments.principal or name, groups=frozenset(arguments.group))
        lifetime = timedelta(days=arguments.days) if arguments.days else None
        scopes = arguments.scope or ["ask"]
        key, secret = await journal.create_key(name, principal, scopes, lifetime)
        return [{**key_row(key), "secret": secret}]
