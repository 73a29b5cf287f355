"""The library: whose work an image draws on. No HTTP, no queue, no environment variables."""
