"""Serve ``@champion`` with MLflow's scoring server, and change the model when another version becomes champion.

    uvicorn --app-dir examples serve_champion:app

In the environment: MODEL, its name; HOOK_SECRET, as ``registry-hooks notify add`` told it; POLL_SECONDS between two
looks without a webhook; and where MLflow's server is, with a login (MLFLOW_TRACKING_URI and so on).
"""

import asyncio
import contextlib
import logging
import os
import threading

import mlflow
from fastapi import FastAPI, Request, Response
from mlflow.pyfunc import scoring_server
from standardwebhooks import Webhook, WebhookVerificationError

MODEL, POLL = os.environ["MODEL"], float(os.environ.get("POLL_SECONDS", "60"))


class Champion:
    """MLflow's scoring app of the version that is champion; an older one goes on until the new one is loaded."""

    def __init__(self):
        self.version, self.serves, self.loading = None, None, threading.Lock()
        self.load()

    def load(self):
        with self.loading:  # asked of the registry, whatever a message says: late or twice, the outcome is the same
            version = mlflow.MlflowClient().get_model_version_by_alias(MODEL, "champion").version
            if version != self.version:
                loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}")
                self.serves, self.version = scoring_server.init(loaded), version

    async def __call__(self, scope, receive, send):
        await self.serves(scope, receive, send)


async def poll():
    while True:
        await asyncio.sleep(POLL)
        try:
            await asyncio.to_thread(champion.load)
        except Exception:
            logging.exception("version %s goes on serving", champion.version)


@contextlib.asynccontextmanager
async def lifespan(_app):
    polling = asyncio.create_task(poll())
    yield
    polling.cancel()


champion, app = Champion(), FastAPI(lifespan=lifespan)


@app.post("/hook")
async def hook(request: Request):
    try:
        Webhook(os.environ["HOOK_SECRET"]).verify(await request.body(), dict(request.headers))
    except WebhookVerificationError:
        return Response(status_code=401)
    await asyncio.to_thread(champion.load)  # an error is a 500, and the message is sent again
    return Response(status_code=204)


app.mount("/", champion)
