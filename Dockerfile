# syntax=docker/dockerfile:1
# One image, every part: `pacs receive`, `pacs ingest`, `pacs web`, or `pacs serve` for all of them with the embedded
# database. It writes to PACS_DATA and /tmp only, so that it runs with a read-only root.

FROM node:24-bookworm-slim AS pages
WORKDIR /pages
COPY viewer_api/web/package.json viewer_api/web/package-lock.json viewer_api/web/.npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY viewer_api/ohif/release.json /ohif/
RUN npm pack "$(node -p 'require("/ohif/release.json").package')" --pack-destination /ohif --ignore-scripts --silent

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /opt/pacs
COPY requirements-run.lock ./
RUN /opt/pacs/bin/pip install --no-cache-dir --require-hashes --requirement requirements-run.lock
COPY pyproject.toml README.md LICENSE ./
COPY pacs pacs
COPY storage storage
COPY dicom_scp dicom_scp
COPY viewer_api viewer_api
COPY migrations migrations
COPY --from=pages /pages/node_modules viewer_api/web/node_modules
COPY --from=pages /ohif /ohif
RUN python -m viewer_api.ohif.unpack /ohif/ohif-app-*.tgz viewer_api/web/ohif
RUN /opt/pacs/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm AS run
COPY --from=build /opt/pacs /opt/pacs
RUN useradd --uid 10001 --home-dir /var/lib/pacs --create-home --shell /usr/sbin/nologin pacs
ENV PATH=/opt/pacs/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PACS_DATA=/var/lib/pacs \
    PACS_HTTP_HOST=0.0.0.0
USER 10001
VOLUME /var/lib/pacs
EXPOSE 8080 11112
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["pacs"]
CMD ["serve"]
