#!/bin/sh
# The index server, with the folder and the key of Qdrant's image.
export LAWFUL_HOME=/qdrant/storage LAWFUL_QDRANT_API_KEY="$QDRANT__SERVICE__API_KEY"
exec lawful index-server --host 0.0.0.0
