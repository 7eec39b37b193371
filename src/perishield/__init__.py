import os

__version__ = "0.1.0"

if os.environ.get("PERISHIELD_PURE") == "1":
    from perishield.plain import prefer_sources

    prefer_sources()
