"""Alembic's migrations: forward only, because insert-only history must survive every one of them."""
