#!/usr/bin/env bash
# Passwords for MLflow, its database and the driver, random, straight into the cluster: nothing is written to disk.
# For development. In production let External Secrets or sealed-secrets make the same two secrets.
set -euo pipefail
namespace=${1:-frontier}
word() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

database=$(word) admin=$(word) driver=$(word)
uri="postgresql+psycopg://mlflow:$database@mlflow-postgres:5432/mlflow"
kubectl --namespace "$namespace" create -f - <<YAML
apiVersion: v1
kind: Secret
metadata: {name: frontier-mlflow-server}
stringData:
  POSTGRES_PASSWORD: "$database"
  MLFLOW_BACKEND_STORE_URI: "$uri"
  MLFLOW_AUTH_ADMIN_USERNAME: admin
  MLFLOW_AUTH_ADMIN_PASSWORD: "$admin"
  MLFLOW_FLASK_SERVER_SECRET_KEY: "$(word)"
  basic_auth.ini: |
    [mlflow]
    default_permission = READ
    database_uri = $uri
    authorization_function = mlflow.server.auth:authenticate_request_basic_auth
    # A check of a password takes a tenth of a second of a core: at most one a minute per process of the server.
    auth_cache_ttl_seconds = 60
---
apiVersion: v1
kind: Secret
metadata: {name: frontier-mlflow}
stringData:
  MLFLOW_TRACKING_USERNAME: frontier  # an ordinary account, which prepare.py makes
  MLFLOW_TRACKING_PASSWORD: "$driver"
YAML
