"""Serve the annotator with settings from the environment: `python app.py`, or `uvicorn app:app` for a server.

uvicorn needs `--timeout-graceful-shutdown 8`, or it waits for open pages, which listen for changes, before it stops.
"""

from annotator import logs
from annotator.errors import AnnotatorError
from annotator.settings import Settings
from annotator.web.server import make_app

try:
    settings = Settings.from_environment()
    logs.configure(settings.log_format)
    app = make_app(settings)
except AnnotatorError as error:
    raise SystemExit(f"annotator: {error}") from None

if __name__ == "__main__":
    from annotator.web.listen import listen

    listen(app, settings)
