"""Publishing of a model's folder as a repository of the Hub."""

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import CommitInfo, CommitOperationAdd, HfApi, get_token

# HTTPError: of the client's HTTP library, whichever that is.
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from dnabert_hf.checkpoints import locate
from dnabert_hf.hub.model_folder import RepositoryFile, read_repository
from dnabert_hf.hub.space import build_space

__all__ = ["Publication", "publish"]

logger = logging.getLogger(__name__)

_WAITS = (2, 8)  # seconds before another attempt, when the connection was lost


@dataclass(frozen=True)
class Publication:
    """Result of publishing, or of a dry run.

    Attributes:
        repo_id: The repository.
        files: Files that make it up.
        left_out: Files of the folder that stay behind.
        card: The model card.
        url: Where the commit (or the pull request) is; None if nothing was sent.
        revision: Commit that the branch now points to; None if nothing was sent.
        space: Files of the Space, if one is published as well.
        space_url: Where the Space is; None if nothing was sent.
    """

    repo_id: str
    files: tuple[RepositoryFile, ...]
    left_out: tuple[str, ...]
    card: str
    url: str | None = None
    revision: str | None = None
    space: tuple[RepositoryFile, ...] = ()
    space_url: str | None = None


def publish(
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    branch: str | None = None,
    tag: str | None = None,
    pull_request: bool = False,
    message: str | None = None,
    space: bool = False,
    dry_run: bool = False,
) -> Publication:
    """Publish a model's folder as a repository of the Hugging Face Hub.

    The repository is made if it is not there, and everything arrives in one commit or not at all.
    Files that are there already are not sent again; publishing the same twice makes no commit.

    Args:
        folder: Folder that `finetune`, `pretrain`, `dnabert convert` or `save_pretrained` wrote, or
            checkpoint that comes with this package.
        repo_id: Repository, such as "lab/dnabert-6-promoters".
        private: Make a new repository private; one that is there stays as it is.
        branch: Branch to commit to, made if it is not there; "main" by default.
        tag: Tag to put on the commit.
        pull_request: Open a pull request in place of committing.
        message: Title of the commit.
        space: Make a Space of the same name as well, which shows the model with `dnabert app`; of a
            private model a private one, which reads it once it has a secret HF_TOKEN.
        dry_run: Only check and list.

    Returns:
        The files, the card, and where they are.

    Raises:
        ValueError: If the folder is no whole model, the name is none, there is no token, or the
            Hub refuses.
    """
    folder = Path(locate(folder))
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise ValueError(f"a repository must be called owner/name: {error}") from error
    if tag is not None and pull_request:
        raise ValueError("a tag is put on a commit: choose tag or pull request")
    if space and (pull_request or branch not in (None, "main")):
        raise ValueError(
            "a Space shows what is on the main branch: leave out branch and pull request, or the "
            "Space (--space)"
        )
    files, left_out = read_repository(folder, name=repo_id)
    card = next(file.content for file in files if file.name == "README.md")
    assert isinstance(card, bytes)
    publication = Publication(repo_id, tuple(files), tuple(left_out), card.decode())
    if space:
        publication = replace(
            publication, space=tuple(build_space(folder, repo_id, publication.card))
        )
    if dry_run:
        return publication
    if get_token() is None:
        raise ValueError(
            "publishing needs a token of the Hub that may write, found none; run `hf auth login` "
            "or set HF_TOKEN"
        )
    api = HfApi()
    options: dict[str, Any] = {"revision": branch, "create_pr": pull_request}
    options["commit_message"] = message or f"Publish {folder.resolve().name}"
    try:
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        if branch is not None:
            api.create_branch(repo_id, branch=branch, exist_ok=True)
        commit = _commit(api, repo_id, files, options)
        if tag is not None:
            api.create_tag(repo_id, tag=tag, revision=commit.oid)
        publication = replace(
            publication, url=commit.pr_url or commit.commit_url, revision=commit.oid
        )
        if publication.space:
            return replace(publication, space_url=_publish_space(api, publication, private))
        return publication
    except HfHubHTTPError as error:
        raise ValueError(_explain(error, repo_id)) from error
    except (OSError, HTTPError) as error:
        raise ValueError(
            f"{repo_id}: the Hub must be in reach at {api.endpoint}, and was not: {error}; give "
            "the same again when it is"
        ) from error


def _publish_space(api: HfApi, publication: Publication, private: bool) -> str:
    """Make the Space beside its model, and say where it is."""
    repo_id = publication.repo_id
    made = api.create_repo(
        repo_id, repo_type="space", space_sdk="docker", private=private or None, exist_ok=True
    )
    options = {"repo_type": "space", "commit_message": f"Show {repo_id}"}
    _commit(api, repo_id, list(publication.space), options)
    return str(made)


def _commit(
    api: HfApi, repo_id: str, files: list[RepositoryFile], options: dict[str, Any]
) -> CommitInfo:
    """Upload and commit, again if the connection is lost: what has arrived is not sent twice.

    The client prefers Xet, which a mirror of the Hub may not have and a firewall not let through:
    all attempts but the first take plain HTTP.
    """
    for attempt, wait in enumerate(_WAITS):
        try:
            return _try_to_commit(api, repo_id, files, options, with_xet=attempt == 0)
        except ConnectionError as error:
            logger.warning("%s: going on over plain HTTP in %d s", error, wait)
            time.sleep(wait)
    return _try_to_commit(api, repo_id, files, options, with_xet=False)


def _try_to_commit(
    api: HfApi,
    repo_id: str,
    files: list[RepositoryFile],
    options: dict[str, Any],
    *,
    with_xet: bool,
) -> CommitInfo:
    with ExitStack() as stack:
        # Operations remember what became of them, so each attempt has its own.
        operations = [
            CommitOperationAdd(
                file.name,
                file.content if with_xet else stack.enter_context(_open(file.content)),
            )
            for file in files
        ]
        try:
            return api.create_commit(repo_id, operations, **options)
        except (HTTPError, RuntimeError) as error:
            # A failed upload is a RuntimeError that carries the error of the connection.
            cause = error.__cause__ if type(error) is RuntimeError else error
            if isinstance(cause, HfHubHTTPError):
                raise cause from None
            if isinstance(cause, HTTPError):
                raise ConnectionError(f"the connection was lost ({cause})") from error
            raise


def _open(content: Path | bytes) -> BinaryIO:
    """Open what is to be sent: the client does not send streams by Xet."""
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _explain(error: HfHubHTTPError, repo_id: str) -> str:
    status = 0 if error.response is None else error.response.status_code
    said = error.server_message or str(error)
    reasons = {
        401: "the Hub must know the token, and did not; log in again with `hf auth login`",
        403: f"the token must have the right to write to {repo_id}, and has not; use a token of "
        "its owner with the role write, or another name",
        404: f"the owner of {repo_id} must exist and be yours",
        409: f"{repo_id} is in the way: what is to be made is there already",
        413: "the Hub has no room for it",
        507: "the Hub has no room for it",
    }
    return f"{repo_id}: {reasons.get(status, 'the Hub refused')} (the Hub said: {said})"
