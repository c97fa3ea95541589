"""Serve the annotator with settings from the environment: `python app.py`, or `uvicorn app:app` for a server."""

from annotator.settings import Settings
from annotator.web.server import make_app

app = make_app(Settings.from_environment())

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=7860, log_level="warning")
