"""The console: what the API does, as pages for people in a browser.

Pages are thin: each shows what a route or use case returns, and decides nothing itself.
"""
