#!/bin/bash
# Make the cluster at the first start, with the database and the scripts that the service names.
set -euo pipefail

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA"
    initdb --username=postgres --auth-local=trust --auth-host=scram-sha-256 \
        --pwfile=<(printf '%s' "$POSTGRES_PASSWORD")
    {
        echo "host all all all scram-sha-256"
        echo "host replication all all scram-sha-256"
    } >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"

    pg_ctl start --wait --options="-c listen_addresses="
    psql --username=postgres --command="CREATE DATABASE \"$POSTGRES_DB\""
    for script in /docker-entrypoint-initdb.d/*.sql; do
        psql --username=postgres --dbname="$POSTGRES_DB" --set=ON_ERROR_STOP=1 --file="$script"
    done
    pg_ctl stop --wait
fi
exec "$@"
