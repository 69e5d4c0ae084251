# syntax=docker/dockerfile:1
# MLflow's server with passwords and Postgres.
#   docker build -f k8s/images/mlflow.Dockerfile -t frontier-mlflow:3.17.2 .
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
RUN python -m venv /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY k8s/images/mlflow.txt ./
RUN pip install --no-deps --require-hashes --requirement mlflow.txt \
    && python -m compileall --quiet -j 0 /opt/mlflow/lib

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 1000 mlflow && useradd --uid 1000 --gid 1000 --create-home mlflow \
    && python -m compileall --quiet -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/mlflow /opt/mlflow
ENV PATH=/opt/mlflow/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /tmp
USER 1000:1000
CMD ["mlflow", "--version"]
