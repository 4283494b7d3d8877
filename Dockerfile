# Tradewind in a container: built in two stages, run as nobody in particular.
# The base images are arguments, so that a site can put its own under them.
ARG NODE_IMAGE=node:20-bookworm-slim
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${NODE_IMAGE} AS pages
WORKDIR /src/client-js
COPY client-js/package.json client-js/package-lock.json ./
# Not `npm ci`: it fails where a registry lacks an optional package of a foreign platform.
RUN npm install --no-save --no-audit --no-fund
COPY client-js/ ./
RUN npm run build

FROM ${PYTHON_IMAGE} AS python
WORKDIR /src
RUN python3 -m venv /opt/tradewind
COPY requirements.run.lock ./
RUN /opt/tradewind/bin/pip install --no-cache-dir -r requirements.run.lock
COPY pyproject.toml README.md LICENSE ./
COPY transport/ transport/
COPY storage/ storage/
COPY bench/ bench/
COPY server/ server/
COPY --from=pages /src/server/pages/ server/pages/
RUN /opt/tradewind/bin/pip install --no-cache-dir --no-deps .

FROM ${PYTHON_IMAGE}
RUN useradd --system --uid 10001 --home-dir /data --create-home tradewind
COPY --from=python /opt/tradewind /opt/tradewind
ENV PATH=/opt/tradewind/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TRADEWIND_DATA_DIR=/data \
    TRADEWIND_LOG_FORMAT=json
USER tradewind
VOLUME /data
EXPOSE 8443/tcp 8443/udp
# The plain listener answers on loopback only, so this asks from inside.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s \
    CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://localhost:8080/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["tradewind", "serve"]
