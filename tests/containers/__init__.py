"""docker-compose.yml, built and run by a Docker engine (`make containers`)."""
