"""Bring MLflow's database up to date before its server starts, and make the account of the driver.

An ordinary account may make experiments and manage those that it made. Addresses and passwords come from the
environment, as every account of a node may read the arguments of a process.
"""

import os

from mlflow.cli import cli
from mlflow.server.auth.config import read_auth_config
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore

cli(["db", "upgrade", os.environ["MLFLOW_BACKEND_STORE_URI"]], standalone_mode=False)
name, password = os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]
if name == os.environ["MLFLOW_AUTH_ADMIN_USERNAME"]:
    print(
        f"warning: the driver logs in to MLflow as its admin, {name}, who may change and delete every run\n"
        "    -> set MLFLOW_TRACKING_USERNAME of the Secret frontier-mlflow to another name, and "
        "MLFLOW_TRACKING_PASSWORD to a password of its own; then restart this Deployment"
    )
else:
    accounts = SqlAlchemyStore()
    accounts.init_db(read_auth_config().database_uri)
    if accounts.has_user(name):
        accounts.update_user(name, password=password, is_admin=False)
    else:
        accounts.create_user(name, password, is_admin=False)
