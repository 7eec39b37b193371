"""What the server remembers: accounts, cameras, rules, alarms, the index of footage.

SQLAlchemy 2 over SQLite in WAL mode. Repositories own all SQL; nobody else writes any. Camera passwords lie in the
database in clear, because the node must present them to the cameras: the file is its owner's alone (0600).
"""
