# The image of every `lawful` command: migrate, api, worker and beat (docker-compose.yml).
#
#   TORCH_INDEX  where torch comes from: the small build for processors, unless you say otherwise;
#                https://pypi.org/simple is the one with CUDA (docker-compose.gpu.yml)

FROM python:3.12.14-slim-trixie AS requirements
WORKDIR /src
COPY pyproject.toml ./
RUN python -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
        print(*project['dependencies'], *project['optional-dependencies']['s3'], \
            *project['optional-dependencies']['otel'], sep='\n')" \
        > requirements.txt

# The packages come from their list alone, as a layer of their own: neither another version of the
# program nor a change of its code installs, pushes or pulls them again.
FROM python:3.12.14-slim-trixie AS packages
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/lawful
COPY constraints.txt ./
COPY --from=requirements /src/requirements.txt ./
RUN pip --python /opt/lawful/bin/python install \
        --constraint constraints.txt --extra-index-url "$TORCH_INDEX" --requirement requirements.txt

FROM python:3.12.14-slim-trixie AS wheel
WORKDIR /src
COPY constraints.txt ./
RUN pip install --no-cache-dir --constraint constraints.txt hatchling
COPY LICENSE NOTICE README.md pyproject.toml ./
COPY api api
COPY attribution attribution
COPY examples examples
COPY ingest ingest
COPY migrations migrations
RUN python -m hatchling build -t wheel

FROM python:3.12.14-slim-trixie
RUN groupadd --gid 10001 lawful \
    && useradd --uid 10001 --gid lawful --no-create-home --home-dir /data lawful \
    && install --directory --owner lawful --group lawful --mode 0750 /data
COPY --from=packages /opt/lawful /opt/lawful
RUN --mount=type=bind,from=wheel,source=/src/dist,target=/dist \
    pip --python /opt/lawful/bin/python install --no-cache-dir --no-deps /dist/*.whl
# HF_HOME: weights of the larger profiles are fetched once and kept with the collection.
ENV PATH=/opt/lawful/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LAWFUL_HOME=/data \
    HF_HOME=/data/huggingface
WORKDIR /data
USER 10001:10001
ENTRYPOINT ["lawful"]
CMD ["--help"]
