"""The parts of the web app, one job each; `app.py` puts them on a page. Nothing else imports this room."""
