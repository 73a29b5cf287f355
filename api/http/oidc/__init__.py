"""Callers that an OpenID provider vouches for: programs by tokens, people by a login."""
