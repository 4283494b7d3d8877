"""What Alembic runs to apply revisions: on the connection, and in the transaction, handed to it.

May import: nothing of Tradewind.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
