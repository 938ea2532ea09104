"""Tables from databases: a query file is run read-only, and its result is a Parquet file, read like any other.

Nothing here depends on what a deal is, and SQLAlchemy is imported only where a query is run.
"""

from winprob.data.tables.databases.in_force import database, is_query, on_day, refuse_url, table_file

__all__ = ["database", "is_query", "on_day", "refuse_url", "table_file"]
