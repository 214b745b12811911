"""Credentials of Postern for psycopg, both ways: `rotate.py check-at-each-use` and `rotate.py background-refresh`.

Nothing but the standard library and psycopg is needed. Host, port, database and the certificate authority come from PGHOST,
PGPORT, PGDATABASE and PGSSLROOTCERT; POSTERN_HOST, POSTERN_INSTANCE, POSTERN_CLIENT_ID and POSTERN_CLIENT_SECRET say who asks.
"""

import base64
import json
import os
import sys
import threading
import time
import urllib.parse
import urllib.request
from datetime import datetime
from email.utils import parsedate_to_datetime

import psycopg


class PosternPassword:
    """Keeps a database credential until near its end; one thread at a time renews it."""

    def __init__(self, host, instance, client_id, client_secret):
        self.host, self.instance = host, instance
        self.client_id, self.client_secret = client_id, client_secret
        self.lock = threading.Lock()
        self.token, self.renew_at, self.ends_at = None, 0.0, 0.0

    def __call__(self):
        with self.lock:
            if time.monotonic() >= self.renew_at:
                try:
                    self._renew()
                except OSError:
                    # Postern is away: the credential goes on while it logs in.
                    if time.monotonic() >= self.ends_at:
                        raise
            return self.token

    def renew_in_background(self):
        def run():
            while True:
                try:
                    self()
                except OSError as error:
                    print(f"no credential: {error}", file=sys.stderr)
                time.sleep(max(0.5, self.renew_at - time.monotonic()))

        threading.Thread(target=run, daemon=True).start()

    def _renew(self):
        pair = f"{urllib.parse.quote(self.client_id)}:{urllib.parse.quote(self.client_secret)}"
        form = b"grant_type=client_credentials&scope=all-apis"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
        granted, _ = self._post("/oidc/v1/token", "application/x-www-form-urlencoded", form, basic)
        body = json.dumps({"instanceNames": [self.instance]}).encode()
        bearer = "Bearer " + granted["access_token"]
        credential, answered_at = self._post("/v1/databaseCredentials", "application/json", body, bearer)
        ends_at = datetime.fromisoformat(credential["expiresAt"].replace("Z", "+00:00"))
        lifetime = (ends_at - answered_at).total_seconds()  # by the clock of the server
        self.token = credential["token"]
        self.renew_at = time.monotonic() + lifetime - min(300, lifetime / 4)
        self.ends_at = time.monotonic() + lifetime

    def _post(self, path, content_type, body, authorization):
        headers = {"content-type": content_type, "authorization": authorization}
        request = urllib.request.Request(self.host + path, body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer), parsedate_to_datetime(answer.headers["date"])


password = PosternPassword(
    os.environ["POSTERN_HOST"],
    os.environ["POSTERN_INSTANCE"],
    os.environ["POSTERN_CLIENT_ID"],
    os.environ["POSTERN_CLIENT_SECRET"],
)


class PosternConnection(psycopg.Connection):
    """For `psycopg_pool.ConnectionPool(connection_class=PosternConnection)` too: each new session asks for the password."""

    @classmethod
    def connect(cls, conninfo="", **more):
        user = os.environ["POSTERN_CLIENT_ID"]
        return super().connect(conninfo, user=user, password=password(), sslmode="verify-full", **more)


if sys.argv[1:] == ["background-refresh"]:
    password.renew_in_background()

logins = 0
until = time.monotonic() + float(os.environ.get("RUN_SECONDS", "5"))
while time.monotonic() < until:
    with PosternConnection.connect() as connection:
        connection.execute("select current_user")
    logins += 1
    time.sleep(0.1)
print(f"logins={logins}")
