# syntax=docker/dockerfile:1
# One image for every process; docker-compose.yml says which of them a container is.

FROM python:3.13-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 UV_NO_CACHE=1 UV_LINK_MODE=copy
WORKDIR /build

# The dependencies have a layer of their own: it changes only with the lock files.
COPY requirements-build.lock requirements.lock ./
RUN python -m venv /opt/tools \
 && /opt/tools/bin/pip install --require-hashes -r requirements-build.lock \
 && python -m venv --without-pip /opt/darkroom \
 && /opt/tools/bin/uv pip install --python /opt/darkroom/bin/python --compile-bytecode --require-hashes -r requirements.lock

COPY . .
RUN /opt/tools/bin/hatchling build -t wheel -d /build/dist \
 && /opt/tools/bin/uv pip install --python /opt/darkroom/bin/python --compile-bytecode --no-deps --offline /build/dist/*.whl

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Darkroom" \
      org.opencontainers.image.description="Renders manifests of image prompts in bulk with Google's image models" \
      org.opencontainers.image.licenses="Apache-2.0"
# Files are compiled already, and the root file system is read-only where it runs.
ENV PATH=/opt/darkroom/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DARKROOM_HOME=/var/lib/darkroom \
    DARKROOM_STORAGE_URL=/images
# The numbers are fixed because volumes and secrets outlive the image that made them.
RUN groupadd --gid 10001 darkroom \
 && useradd --uid 10001 --gid darkroom --home-dir /var/lib/darkroom --no-create-home --shell /usr/sbin/nologin darkroom \
 && install -d -o darkroom -g darkroom -m 0700 /var/lib/darkroom \
 && install -d -o darkroom -g darkroom -m 0755 /images /work
COPY --from=build /opt/darkroom /opt/darkroom
USER 10001:10001
WORKDIR /work
STOPSIGNAL SIGTERM
ENTRYPOINT ["darkroom"]
CMD ["--help"]
# By default a container is a worker; docker-compose.yml gives other roles checks of their own.
HEALTHCHECK --interval=30s --timeout=15s --start-period=60s --retries=3 CMD ["darkroom", "worker", "check", "-q"]
