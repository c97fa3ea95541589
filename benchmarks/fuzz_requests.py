"""Odd requests for `benchmarks.fuzz`: valid ones of every REST route, changed, sent to the application in this process.

The routes and what they take come from the application's own OpenAPI document. The segmenter is a fake one, the
database a real one that starts each case with the same content.
"""

from __future__ import annotations

import base64
import json
import random
import re
from typing import Any
from urllib.parse import quote, unquote

from benchmarks import fuzz_app
from benchmarks.mutation import damage, mutate

_BOUNDARY = "fuzz"
_MASK = {"x": 5, "y": 5, "w": 10, "h": 10, "runs": [0, 100]}
_VALID: dict[str, Any] = {
    **{"label_id": 1, "into": 2, "ids": [*fuzz_app.OBJECTS], "mask": _MASK, "points": [[20, 15, 1]]},
    **{"annotation_ids": [*fuzz_app.OBJECTS], "examples_in": fuzz_app.IMAGE},
    **{"box": [5, 5, 30, 30], "region": [5, 5, 30, 30], "view": {"x": 0, "y": 0, "width": 30, "height": 30}},
    **{"name": "skimage_chelsea", "path": fuzz_app.SERVER_FILE, "upcoming": [fuzz_app.OTHER_IMAGE], "color": "#12abEF"},
    **{"key": "7", "project_id": 1, "image_id": fuzz_app.IMAGE, "annotation_id": fuzz_app.OBJECTS[0]},
    **{"job_id": fuzz_app.JOB, "format_name": "coco", "after": None, "revision": None, "points_per_side": 4},
}
"""What fields and parameters of these names are given."""
_VALID_AT: dict[str, dict[str, Any]] = {
    "delete /labels/{label_id}": {"label_id": fuzz_app.SPARE_LABEL},
    "post /projects/{project_id}/labels/{label_id}/split": {"label_id": fuzz_app.MERGED_LABEL},
    "post /projects/{project_id}/restore": {"project_id": fuzz_app.REMOVED_PROJECT},
    "post /images/{image_id}/restore": {"image_id": fuzz_app.REMOVED_IMAGE},
    "post /projects/{project_id}/labels": {"name": "new"},
    "patch /labels/{label_id}": {"name": "new"},
    "get /folders": {"path": fuzz_app.SERVER_FOLDER},
}
_ODD_PARAMETERS = (
    *("", "0", "1", "-1", "+1", "1.0", "1e3", "01", "true", "null", "None", "NaN", str(2**31), str(2**63), str(2**64)),
    *("9" * 5000, "x" * 5000, "..", ".", "../..", "a/b", "%", "%00", "\0", "\n", "\u200d", "\U0001f600", "e\u0301"),
    *("é", "a'b\"c", "coco", "yolo", "done", "{image_id}", "*", "?", "#", " ", fuzz_app.REMOVED_IMAGE, fuzz_app.JOB),
    *(fuzz_app.OTHER_IMAGE, fuzz_app.OBJECTS[1], str(fuzz_app.REMOVED_PROJECT), str(fuzz_app.MERGED_LABEL)),
)
_ODD_HEADERS = (
    *(("content-type", each) for each in ("", "text/plain", "application/json; charset=utf-16", "multipart/form-data")),
    *(("content-type", each) for each in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=", "/")),
    *(("content-length", each) for each in ("", "-1", "x", "0", "9" * 30, "1")),
    *(("if-none-match", each) for each in ("*", '"', 'W/"x"', "\xff", "x" * 5000)),
    *(("range", each) for each in ("bytes=0-", "bytes=5-1", "bytes=" + "0-1," * 500)),
    *(("host", each) for each in ("", "[::1", "elsewhere", "test:99999")),
    *(("origin", "null"), ("accept", "\xff"), ("accept-encoding", "x;q=z"), ("expect", "100-continue")),
)
_NEVER_VALID = re.compile("/session|/members|/exports/|/review")
"""Routes of users, exports and verdicts, which this server has none of or which take more than a schema says."""
_SENTENCE = re.compile(r"[^\x00-\x1f]{3,500}")


def case(rng: random.Random) -> bytes:
    """A request as JSON: every tenth is valid, the others have one to three changes."""
    route = rng.choice(fuzz_app.routes())
    request = _valid_request(route, rng)
    is_valid = rng.random() < 0.1 and not _NEVER_VALID.search(route.path)
    for _ in range(0 if is_valid else rng.choice((1, 1, 2, 3))):
        _change(request, rng)
    path = re.sub(r"{(\w+)}", lambda match: quote(str(request["path"][match[1]]), safe="/"), request["template"])
    body, kind = _body(request)
    if request["damaged"] and body:
        body = damage(body, rng) if kind == "application/json" else _cut(body, rng)
    sent = {
        "method": request["method"].upper(),
        "path": path + request["tail"],
        "query": "&".join(f"{quote(name)}={quote(str(value))}" for name, value in request["query"]),
        "headers": [["host", "test"], ["content-type", kind], ["content-length", str(len(body))], *request["headers"]],
        "body": base64.b64encode(body).decode(),
        "is_valid": is_valid,
    }
    return json.dumps(sent).encode()


def run(data: bytes) -> str:
    """Send it. It is a crash to answer 500 or more, to refuse a valid request, or to refuse without a sentence."""
    request = json.loads(data)
    fuzz_app.reset()
    headers = dict(request["headers"])  # the last of a name counts
    body = base64.b64decode(request["body"])
    answer = fuzz_app.send(request["method"], unquote(request["path"]), request["query"], headers, body)
    where = f"{request['method']} {request['path'][:200]}?{request['query'][:200]}"
    assert answer.status < 500, f"{where}: {answer.status} {answer.body[:300]!r}"
    assert answer.status < 400 or not request["is_valid"], f"{where}: {answer.status} {answer.body[:300]!r}"
    if answer.status >= 400 and request["method"] != "HEAD":
        try:
            problem = json.loads(answer.body)
        except ValueError:
            raise AssertionError(f"{where}: {answer.status} {answer.body[:300]!r}") from None
        assert problem["status"] == answer.status and _SENTENCE.fullmatch(problem["detail"]), f"{where}: {problem}"
    if answer.status < 300 and request["method"] != "GET":
        document = fuzz_app.API + f"/images/{fuzz_app.IMAGE}/document"
        after = fuzz_app.send("GET", document, "", {"host": "test"}, b"")
        assert after.status in (200, 404), f"after {where}: {after.status} {after.body[:300]!r}"
    return str(answer.status)


def _valid_request(route: fuzz_app.Route, rng: random.Random) -> dict[str, Any]:
    known = {**_VALID, **_VALID_AT.get(f"{route.method} {route.path.removeprefix(fuzz_app.API)}", {})}
    wanted = [each for each in route.parameters if each["required"] or rng.random() < 0.3]
    given = {each["name"]: _value(each["schema"], each["name"], known, rng) for each in wanted}
    places = {each["name"]: each["in"] for each in wanted}
    return {
        "method": route.method,
        "template": route.path,
        "tail": "",
        "path": {name: value for name, value in given.items() if places[name] == "path"},
        "query": [[name, value] for name, value in given.items() if places[name] == "query" and value is not None],
        "headers": [],
        "kind": route.kind,
        "body": None if route.schema is None else _value(route.schema, "", known, rng),
        "file_name": "a.png",
        "damaged": False,
    }


def _value(schema: dict[str, Any], name: str, known: dict[str, Any], rng: random.Random) -> Any:
    """A value that the schema allows."""
    if name in known:
        return json.loads(json.dumps(known[name]))
    if "$ref" in schema:
        return _value(fuzz_app.schema(schema["$ref"]), "", known, rng)
    if "anyOf" in schema and "properties" not in schema:
        return _value(rng.choice(schema["anyOf"]), "", known, rng)
    if "enum" in schema:
        return rng.choice(schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        needed = {*schema.get("required", ()), "points", "label_id"}  # else a request may ask for nothing
        fields = schema.get("properties", {}).items()
        return {each: _value(of, each, known, rng) for each, of in fields if each in needed or rng.random() < 0.5}
    if kind == "array":
        parts = schema.get("prefixItems") or [schema["items"]] * rng.choice((1, 1, 2))
        return [_value(each, "", known, rng) for each in parts]
    if kind == "string":
        return "x" * max(schema.get("minLength", 0), 3)
    return {"integer": 1, "number": 0.5, "boolean": rng.random() < 0.5}.get(kind or "")


def _change(request: dict[str, Any], rng: random.Random) -> None:
    """One change to a request, in place."""
    kind = rng.randrange(10)
    if kind <= 4 and request["body"] is not None:
        holder = [request["body"]]
        mutate(holder, rng)
        request["body"] = holder[0] if holder else None
    elif kind == 5 and request["body"] is not None:
        request["damaged"] = True
        request["file_name"] = rng.choice(
            ("", "..", "a/../b.png", 'a"b', "x" * 5000, "\u202e", "é.png", "\0", "a.json")
        )
    elif kind <= 6 and request["path"]:
        request["path"][rng.choice(list(request["path"]))] = rng.choice(_ODD_PARAMETERS)
    elif kind == 7:
        name = rng.choice([each[0] for each in request["query"]] or ["limit", "status", "removed", "path", "image_id"])
        request["query"].append([name, rng.choice(_ODD_PARAMETERS)])
    elif kind == 8:
        request["headers"].append(list(rng.choice(_ODD_HEADERS)))
    elif rng.random() < 0.5:
        request["method"] = rng.choice(("get", "post", "put", "patch", "delete", "head", "options", "trace", "x"))
    else:
        request["tail"] = rng.choice(("/", "//", "/.", "/..", "/x", "%2f", "%00", ";x", "%ff", "/" + "a" * 3000))


def _body(request: dict[str, Any]) -> tuple[bytes, str]:
    """The bytes of the body, and its content type."""
    if request["kind"] != "multipart/form-data":
        if request["body"] is None and not request["damaged"]:
            return b"", request["kind"] or "text/plain"
        text = json.dumps(request["body"], ensure_ascii=False)
        return text.encode("utf-8", "surrogatepass"), "application/json"
    parts = []
    fields = request["body"] if isinstance(request["body"], dict) else {"files": request["body"]}
    for name, value in fields.items():
        for each in value if isinstance(value, list) else [value]:
            content = (
                fuzz_app.COCO if name == "file" else fuzz_app.PICTURE if isinstance(each, str) else str(each).encode()
            )
            name_of_file = request["file_name"].encode("utf-8", "surrogatepass")
            head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="'.encode(
                "utf-8", "replace"
            )
            parts.append(head + name_of_file + b'"\r\nContent-Type: image/png\r\n\r\n' + content + b"\r\n")
    return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={_BOUNDARY}"


def _cut(body: bytes, rng: random.Random) -> bytes:
    at, end = rng.randrange(len(body)), rng.randrange(len(body))
    return rng.choice((body[:at], body[:at] + body[end:], body[:at] + bytes([rng.randrange(256)]) + body[at + 1 :]))
