"""Ways of telling somebody else: one module for each kind of channel, all of them a `sender.Sender`."""
