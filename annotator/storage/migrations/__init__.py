"""The steps that brought the tables to what they are, run by alembic; see `env.py`."""
