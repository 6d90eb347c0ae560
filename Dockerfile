# docker build -t tajo .
# Everything that is installed is locked with hashes, and comes as a wheel: nothing is compiled here.

FROM python:3.11-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_ONLY_BINARY=:all:
WORKDIR /build
COPY requirements-build.lock requirements.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/tajo \
    && pip --python /opt/tajo/bin/python install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/tajo/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Tajo" org.opencontainers.image.licenses="Apache-2.0"
# What installs packages is not needed any more. All that Tajo ever writes is in /data.
RUN pip --no-input --disable-pip-version-check uninstall --yes --root-user-action=ignore setuptools wheel pip \
    && useradd --uid 10001 --user-group --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin tajo \
    && install --directory --owner=tajo --group=tajo --mode=700 /data
COPY --from=build /opt/tajo /opt/tajo
ENV PATH=/opt/tajo/bin:$PATH PYTHONDONTWRITEBYTECODE=1 TAJO_DATABASE_URL=sqlite:////data/tajo.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", "\
import http.client, sys; \
server = http.client.HTTPConnection('127.0.0.1', 8000, timeout=4); \
server.request('GET', '/healthz'); \
sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["tajo"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
