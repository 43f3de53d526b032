"""A plugin that makes directories, in plain Python. Its first argument is where they are."""

import hashlib
import json
import os
import shutil
import sys

BASE = sys.argv[1] if len(sys.argv) > 1 else "directories"


class Refused(Exception):
    def __init__(self, kind, message):
        self.kind, self.message = kind, message


def path(order):
    return os.path.join(BASE, order["uid"])


def teardown(order):
    return {"id": order, "inventory": [{"kind": "directory", "id": path(order)}]}


def enter(lease):
    """Lets nobody in who holds an older lease than one that was seen."""
    if not os.path.isdir(BASE):
        raise Refused("Unavailable", "the disk cannot be read")
    fence = os.path.join(BASE, "fence")
    seen = int(open(fence).read()) if os.path.exists(fence) else 0
    if lease < seen:
        raise Refused("Stale", "another process has taken over")
    with open(fence, "w") as file:
        file.write(str(lease))


def plan(order, run, **_):
    note = (order["spec"] or {}).get("note")
    if not isinstance(note, str):
        raise Refused("Invalid", "note: must be a text")
    if not os.path.isdir(BASE):
        raise Refused("Unavailable", "the disk cannot be read")
    try:
        there = open(os.path.join(path(order["id"]), "note")).read()
        changes = [] if there == note else [{"action": "Update", "subject": "note"}]
    except FileNotFoundError:
        changes = [{"action": "Create", "subject": "note"}]
    inputs = json.dumps([order["id"]["uid"], order["spec"]], sort_keys=True)
    inputs = hashlib.sha256(inputs.encode()).hexdigest()
    return {"inputs": inputs, "changes": changes, "teardown": teardown(order["id"])}


def apply(order, run, **_):
    enter(run["lease"])
    os.makedirs(path(order["id"]), exist_ok=True)
    with open(os.path.join(path(order["id"]), "note"), "w") as file:
        file.write(order["spec"]["note"])
    return observe(order["id"])


def observe(order, **_):
    if not os.path.isdir(BASE):
        return {"phase": "Unknown", "message": "the disk cannot be read"}
    if not os.path.exists(os.path.join(path(order), "note")):
        return {"phase": "Gone"}
    outputs = {"path": {"value": path(order), "sensitive": False}}
    return {"phase": "Ready", "outputs": outputs, "teardown": teardown(order)}


def delete(sealed, run, **_):
    enter(run["lease"])
    shutil.rmtree(path(sealed["id"]), ignore_errors=True)
    return observe(sealed["id"])


def handshake(protocol, versions, **_):
    if protocol != "kdp-provider" or 1 not in versions:
        raise Refused("Unsupported", "only version 1 of kdp-provider is spoken here")
    return {"version": 1, "name": "directories"}


def refuse(what):
    def method(**_):
        raise Refused("Unsupported", "directories " + what)

    return method


METHODS = {"handshake": handshake, "plan": plan, "apply": apply, "observe": observe, "delete": delete}
METHODS |= {"import": refuse("are not taken over"), "act": refuse("have no actions")}

if "KDP_PROVIDER_PLUGIN" not in os.environ:
    sys.exit("this is a plugin; a platform starts it, and nobody else has to")
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answer = {"jsonrpc": "2.0", "id": request["id"]}
    try:
        answer["result"] = METHODS[request["method"]](**request["params"])
    except Refused as error:
        answer["error"] = {"code": -32000, "message": error.message, "data": {"kind": error.kind}}
    except Exception as error:
        answer["error"] = {"code": -32000, "message": repr(error), "data": {"kind": "Internal"}}
    print(json.dumps(answer), flush=True)
