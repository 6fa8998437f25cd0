# Two images from one file: `--target web` without torch (web, gateway, scheduler, control), `--target worker` with it.
#
#   docker build --target web -t aifs-web .
#   docker build --target worker --build-arg TORCH=cpu -t aifs-worker .       (TORCH=cuda for GPU machines)

ARG PYTHON=3.11.14-slim-trixie
ARG NODE=22.21.1-trixie-slim

FROM node:${NODE} AS frontend
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY vite.config.ts tsconfig.json ./
COPY frontend frontend
# Tailwind looks into these for the classes that are used.
COPY templates templates
COPY apps apps
RUN node node_modules/vite/bin/vite.js build --logLevel warn

FROM python:${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/aifs
COPY requirements.txt /build/
RUN /opt/aifs/bin/pip install -r /build/requirements.txt

FROM packages AS worker-packages
ARG TORCH=cpu
# An index of CPU builds, where pip's own configuration has none; without it TORCH=cpu works, too, but is larger.
ARG TORCH_INDEX=
COPY requirements-ml.txt /build/
RUN torch="$(grep '^torch==' /build/requirements-ml.txt)" && \
    case "$TORCH" in \
      cpu) /opt/aifs/bin/pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$torch" ;; \
      cuda) /opt/aifs/bin/pip install "$torch" ;; \
      *) echo "TORCH must be cpu or cuda, not $TORCH" >&2; exit 2 ;; \
    esac && \
    /opt/aifs/bin/pip install -r /build/requirements-ml.txt

FROM python:${PYTHON} AS base
# pg_dump and pg_restore for `aifs backup`; Debian's version is the one of the database in docker-compose.yml.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/* && \
    groupadd --gid 10001 aifs && useradd --uid 10001 --gid aifs --home-dir /data --no-create-home aifs && \
    install -d -o aifs -g aifs -m 0700 /data /files
WORKDIR /app
ENV PATH=/opt/aifs/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 AIFS_HOME=/data STORAGE_URL=file:///files/storage
COPY pyproject.toml README.md LICENSE manage.py ./
COPY aifs aifs
COPY apps apps
COPY workers workers
COPY templates templates
COPY locale locale
COPY scripts/messages.py scripts/
COPY --from=frontend /build/static/dist static/dist
VOLUME ["/data", "/files"]

FROM base AS web
COPY --from=packages /opt/aifs /opt/aifs
RUN pip install --no-cache-dir --no-deps --editable . && SECRET_KEY=only-for-the-build python scripts/messages.py compile
USER aifs
EXPOSE 8000 8001
CMD ["python", "-m", "aifs.web"]

FROM base AS worker
COPY --from=worker-packages /opt/aifs /opt/aifs
RUN pip install --no-cache-dir --no-deps --editable . && SECRET_KEY=only-for-the-build python scripts/messages.py compile
USER aifs
CMD ["python", "manage.py", "agent"]
