"""A server that speaks the part of the Hub's protocol that models are published and loaded with."""

import base64
import hashlib
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

TOKENS = {"hf_writer": ("lab", "write"), "hf_reader": ("guest", "read")}


@dataclass
class Repository:
    private: bool
    is_gated: bool = False
    commits: dict[str, dict[str, str]] = field(default_factory=dict)  # commit: {path: object}
    titles: dict[str, str] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)  # branches, tags and pull requests

    def commit(self, ref, files, title):
        number = hashlib.sha1(f"{len(self.commits)}{sorted(files.items())}".encode()).hexdigest()
        self.commits[number] = files
        self.titles[number] = title
        self.refs[ref] = number
        return number

    def find(self, revision):
        number = self.refs.get(revision, revision)
        return number if number in self.commits else None


@dataclass
class Hub:
    """Repositories and files; `objects` holds contents by git's or LFS's checksum."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    uploads_to_drop: int = 0
    is_full: bool = False
    pull_requests: int = 0


class RefusalError(Exception):
    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status, self.code = status, code


def git_checksum(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("GET")

    def do_HEAD(self):
        self.answer("HEAD")

    def do_POST(self):
        self.answer("POST")

    def do_PUT(self):
        self.answer("PUT")

    def answer(self, method):
        split = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        self.body = self.read_body()
        self.hub.requests.append((method, split.path))
        path = split.path.replace("/api/spaces/", "/api/models/spaces/", 1)
        for verb, pattern, function in ROUTES:
            if method in verb and (match := re.fullmatch(pattern, path)):
                try:
                    function(self, *map(unquote, match.groups()))
                except RefusalError as refusal:
                    headers = {"X-Error-Message": str(refusal)}
                    if refusal.code:
                        headers["X-Error-Code"] = refusal.code
                    self.send({"error": str(refusal)}, status=refusal.status, headers=headers)
                return
        self.send({"error": f"no such endpoint: {method} {split.path}"}, status=501)

    def read_body(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def send(self, content, *, status=200, headers=()):
        is_json = not isinstance(content, bytes)
        body = json.dumps(content).encode() if is_json else content
        self.send_response(status)
        if is_json:
            self.send_header("Content-Type", "application/json")
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def user(self, *, must_write=False):
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in TOKENS:
            raise RefusalError(401, "Invalid username or password.")
        name, role = TOKENS.get(token, (None, None))
        if must_write and role != "write":
            raise RefusalError(403 if name else 401, "You don't have the required permissions")
        return name

    def repository(self, name, *, must_write=False):
        repository = self.hub.repositories.get(name)
        user = self.user(must_write=must_write)
        if repository is None or (repository.private and user is None):
            raise RefusalError(404 if user else 401, "Repository not found", "RepoNotFound")
        if must_write and not name.removeprefix("spaces/").startswith(f"{user}/"):
            raise RefusalError(403, f"You don't have the rights to write to {name}")
        return repository

    def revision(self, repository, revision):
        number = repository.find(revision)
        if number is None:
            raise RefusalError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return number

    # Publishing

    def create(self):
        asked = json.loads(self.body)
        user = self.user(must_write=True)
        name = f"{asked.get('organization') or user}/{asked['name']}"
        if not name.startswith(f"{user}/"):
            raise RefusalError(403, f"You don't have the rights to create a model under {name}")
        if asked.get("type") == "space":
            assert asked["sdk"] == "docker"
            name = f"spaces/{name}"
        if name in self.hub.repositories:
            answer = {
                "error": "You already created this model repo",
                "url": f"{self.hub.url}/{name}",
            }
            self.send(answer, status=409)
            return
        repository = Repository(private=asked.get("visibility") == "private")
        repository.commit("main", {}, "initial commit")
        self.hub.repositories[name] = repository
        self.send({"url": f"{self.hub.url}/{name}", "id": name, "name": name})

    def validate(self):
        text = json.loads(self.body)["content"]
        try:
            metadata = yaml.safe_load(text.split("---")[1])
            errors = [] if isinstance(metadata, dict) else [{"message": "no metadata"}]
        except (IndexError, yaml.YAMLError) as error:
            errors = [{"message": str(error)}]
        self.send({"errors": errors, "warnings": []}, status=400 if errors else 200)

    def preupload(self, name, revision):
        repository = self.repository(name, must_write=True)
        files = repository.commits[self.revision(repository, revision)]
        answer = []
        for file in json.loads(self.body)["files"]:
            mode = "lfs" if file["path"].endswith((".safetensors", ".png")) else "regular"
            answer.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False,
                           "oid": files.get(file["path"])})  # fmt: skip
        self.send({"files": answer})

    def lfs_batch(self, name):
        self.repository(name, must_write=True)
        objects = []
        for asked in json.loads(self.body)["objects"]:
            entry = dict(asked)
            if asked["oid"] not in self.hub.objects:
                href = f"{self.hub.url}/storage/{asked['oid']}"
                entry["actions"] = {"upload": {"href": href, "header": {}}}
            objects.append(entry)
        self.send({"objects": objects, "transfer": "basic"})

    def store(self, checksum):
        if self.hub.uploads_to_drop:
            self.hub.uploads_to_drop -= 1
            self.close_connection = True
            self.connection.close()
            return
        if self.hub.is_full:
            raise RefusalError(507, "Insufficient storage")
        if hashlib.sha256(self.body).hexdigest() != checksum:
            raise RefusalError(400, "checksum does not match")
        self.hub.objects[checksum] = self.body
        self.send({})

    def commit(self, name, revision):
        repository = self.repository(name, must_write=True)
        files = dict(repository.commits[self.revision(repository, revision)])
        title = ""
        for line in self.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                title = value["summary"]
            elif item["key"] == "file":
                content = base64.b64decode(value["content"])
                files[value["path"]] = git_checksum(content)
                self.hub.objects[files[value["path"]]] = content
            else:
                assert item["key"] == "lfsFile"
                if value["oid"] not in self.hub.objects:
                    raise RefusalError(400, f"{value['path']} was not uploaded")
                files[value["path"]] = value["oid"]
        answer, ref = {}, revision
        if "create_pr" in self.query:
            self.hub.pull_requests += 1
            ref = f"refs/pr/{self.hub.pull_requests}"
            answer["pullRequestUrl"] = f"{self.hub.url}/{name}/discussions/{self.hub.pull_requests}"
        number = repository.commit(ref, files, title)
        url = f"{self.hub.url}/{name}/commit/{number}"
        self.send({"commitOid": number, "commitUrl": url, "success": True} | answer)

    def branch(self, name, branch):
        repository = self.repository(name, must_write=True)
        if branch in repository.refs:
            raise RefusalError(409, f"Reference already exists: {branch}")
        repository.refs[branch] = repository.refs["main"]
        self.send({})

    def tag(self, name, revision):
        repository = self.repository(name, must_write=True)
        tag = json.loads(self.body)["tag"]
        if tag in repository.refs:
            raise RefusalError(409, f"Tag {tag} already exists")
        repository.refs[tag] = self.revision(repository, revision)
        self.send({})

    # Loading

    def info(self, name, revision="main"):
        repository = self.repository(name)
        number = self.revision(repository, revision)
        files = [{"rfilename": path} for path in sorted(repository.commits[number])]
        self.send({"id": name, "modelId": name, "sha": number, "private": repository.private,
                   "siblings": files, "tags": [], "downloads": 0, "likes": 0})  # fmt: skip

    def tree(self, name, revision, folder=""):
        repository = self.repository(name)
        files = repository.commits[self.revision(repository, revision)]
        if folder:
            raise RefusalError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        self.send([
            {"type": "file", "oid": oid, "size": len(self.hub.objects[oid]), "path": path}
            for path, oid in sorted(files.items())
        ])  # fmt: skip

    def resolve(self, name, revision, path):
        repository = self.repository(name)
        if repository.is_gated:
            raise RefusalError(403, f"Access to model {name} is restricted", "GatedRepo")
        number = self.revision(repository, revision)
        if path not in repository.commits[number]:
            headers = {"X-Repo-Commit": number, "X-Error-Code": "EntryNotFound"}
            self.send({"error": "Entry not found"}, status=404, headers=headers)
            return
        checksum = repository.commits[number][path]
        self.send(self.hub.objects[checksum],
                  headers={"ETag": f'"{checksum}"', "X-Repo-Commit": number})  # fmt: skip

    def who(self):
        name = self.user()
        if name is None:
            raise RefusalError(401, "Invalid username or password.")
        self.send({"type": "user", "name": name, "orgs": [], "auth": {"type": "access_token"}})


REPO = r"((?:spaces/)?[^/]+/[^/]+)"  # Spaces are kept under spaces/owner/name
ROUTES = [
    (("POST",), "/api/repos/create", Handler.create),
    (("POST",), "/api/validate-yaml", Handler.validate),
    (("GET",), "/api/whoami-v2", Handler.who),
    (("POST",), rf"/api/models/{REPO}/preupload/([^/]+)", Handler.preupload),
    (("POST",), rf"/{REPO}\.git/info/lfs/objects/batch", Handler.lfs_batch),
    (("PUT",), "/storage/([0-9a-f]+)", Handler.store),
    (("POST",), rf"/api/models/{REPO}/commit/([^/]+)", Handler.commit),
    (("POST",), rf"/api/models/{REPO}/branch/([^/]+)", Handler.branch),
    (("POST",), rf"/api/models/{REPO}/tag/([^/]+)", Handler.tag),
    (("GET",), rf"/api/models/{REPO}", Handler.info),
    (("GET",), rf"/api/models/{REPO}/revision/([^/]+)", Handler.info),
    (("GET",), rf"/api/models/{REPO}/tree/([^/]+)", Handler.tree),
    (("GET",), rf"/api/models/{REPO}/tree/([^/]+)/(.+)", Handler.tree),
    (("GET", "HEAD"), rf"/{REPO}/resolve/([^/]+)/(.+)", Handler.resolve),
]


@contextmanager
def serve_hub():
    """Run a Hub on a port of this machine."""
    hub = Hub()
    handler = type("BoundHandler", (Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
