"""From a rule's finding to a stored alarm with its evidence."""
