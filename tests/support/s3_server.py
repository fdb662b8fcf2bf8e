"""An S3 server of somebody else's (moto's), with Object Lock, that checks every signature as AWS does. In a folder of
its own, with boto3 as the other client: neither is a dependency of anything.

As a script, run with that folder on the path, it is what an account's owner does: `setup` makes a user with a key and a
locked bucket, `look` says what is kept of an object and what deleting it comes to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.processes import ServerProcess, free_port

REQUIREMENT = "moto[s3,iam,server]==5.1.15"
BUCKET = "audit-log"
_ROOT = Path(__file__).resolve().parents[2]
_WITHOUT_KEY = 4
"""Requests of `setup`: afterwards nothing is answered without a valid signature."""


class S3Server(ServerProcess):
    """The server, from the packages in `home`."""

    def __init__(self, home: Path, folder: Path) -> None:
        port = free_port()
        self._home = home
        environment = {"PYTHONPATH": str(home), "INITIAL_NO_AUTH_ACTION_COUNT": str(_WITHOUT_KEY)}
        super().__init__([sys.executable, "-m", "moto.server", "-p", str(port)], port, folder / "log", environment)
        self.url = f"http://127.0.0.1:{port}"

    def owner(self, *words: str) -> Any:
        """What the script answers."""
        environment = {**os.environ, "PYTHONPATH": str(self._home)}
        command = [sys.executable, "-m", __name__, self.url, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True, env=environment, cwd=_ROOT
        )
        return json.loads(done.stdout)


def _client(service: str, url: str, key: tuple[str, str] = ("x", "x")) -> Any:
    import boto3  # type: ignore[import-not-found]

    names = {"aws_access_key_id": key[0], "aws_secret_access_key": key[1]}
    return boto3.client(service, endpoint_url=url, region_name="eu-south-1", **names)


def _setup(url: str) -> dict[str, str]:
    iam, s3 = _client("iam", url), _client("s3", url)
    iam.create_user(UserName="auditor")
    made = iam.create_access_key(UserName="auditor")["AccessKey"]
    allowed = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_user_policy(UserName="auditor", PolicyName="p", PolicyDocument=policy)
    s3.create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": "eu-south-1"},
        ObjectLockEnabledForBucket=True,
    )
    return {"id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}


def _look(url: str, key_id: str, secret: str, name: str) -> dict[str, Any]:
    from botocore.exceptions import ClientError  # type: ignore[import-not-found]

    s3 = _client("s3", url, (key_id, secret))
    held = s3.get_object(Bucket=BUCKET, Key=name)
    try:
        s3.delete_object(Bucket=BUCKET, Key=name, VersionId=held["VersionId"])
        deleted = "done"
    except ClientError as error:
        deleted = error.response["Error"]["Code"]
    return {
        "body": held["Body"].read().decode(),
        "mode": held.get("ObjectLockMode", ""),
        "until": str(held.get("ObjectLockRetainUntilDate", "")),
        "version": held["VersionId"],
        "deleted": deleted,
    }


if __name__ == "__main__":
    work = {"setup": _setup, "look": _look}[sys.argv[2]]
    print(json.dumps(work(sys.argv[1], *sys.argv[3:])))  # type: ignore[operator]
