"""A sound overlay with one mistake in it, and the words that must be in the complaint about it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from golden_overlays import overlay

from orchestrator.cluster.checks import check_manifests
from orchestrator.cluster.documents import Document

GONE = object()
JOB = "RayJob/frontier-sweep"
CLUSTER = "spec.rayClusterSpec"
HEAD = f"{CLUSTER}.headGroupSpec.template.spec"
GROUP = f"{CLUSTER}.workerGroupSpecs.0"
WORKER = f"{GROUP}.template.spec"
SUBMITTER = "spec.submitterPodTemplate.spec"
REDIS = [{"name": "RAY_REDIS_ADDRESS", "value": "redis:6379"}]
DELETE_WORKERS = [{"policy": "DeleteWorkers", "condition": {"jobStatus": "FAILED"}}]
RULES = [
    {"policy": "DeleteCluster", "condition": {"jobStatus": "FAILED", "ttlSeconds": 60}},
    {"policy": "DeleteSelf", "condition": {"jobStatus": "FAILED", "ttlSeconds": 10}},
]


class Mistake(NamedTuple):
    name: str
    where: str  # Kind/name
    path: str  # "": the object itself
    value: Any
    words: tuple[str, ...]  # all of them in one complaint
    overlay: str = "local-cpu"
    more: tuple[tuple[str, Any], ...] = ()  # further changes of the same object
    also: tuple[tuple[str, str, Any], ...] = ()  # of others: Kind/name, path, value


MISTAKES = [
    # Shapes.
    Mistake("misspelt field", JOB, f"{GROUP}.minReplica", 0, ("minReplica", "unknown", "'minReplicas'")),
    Mistake("missing field", JOB, f"{GROUP}.maxReplicas", GONE, ("maxReplicas", "is missing")),
    Mistake("wrong type", JOB, f"{GROUP}.maxReplicas", "two", ("maxReplicas", "'two'", "integer")),
    Mistake("enum", JOB, f"{CLUSTER}.authOptions.mode", "tokens", ("'tokens'", "'token'")),
    Mistake("old API", JOB, "apiVersion", "ray.io/v1alpha1", ("apiVersion", "ray.io/v1alpha1", "ray.io/v1")),
    Mistake(
        "unknown field of a Deployment",
        "Deployment/mlflow",
        "spec.template.spec.containers.0.resource",
        {},
        ("containers.0.resource", "unknown", "'resources'"),
    ),
    Mistake("kind", "PersistentVolumeClaim/frontier-data", "kind", "VolumeClaim", ("VolumeClaim", "no kind")),
    Mistake(
        "third party's field",
        "ClusterQueue/frontier",
        "spec.preemptions",
        {},
        ("spec.preemptions", "unknown field", "'preemption'"),
        "onprem",
    ),
    # What KubeRay refuses, or should.
    Mistake(
        "submission mode",
        JOB,
        "spec.submissionMode",
        "Bogus",
        ("spec.submissionMode", "'Bogus'", "nothing be submitted", "K8sJobMode"),
    ),
    Mistake("long name", JOB, "metadata.name", "a" * 48, ("48 characters", "47")),
    Mistake("name", JOB, "metadata.name", "7-sweeps", ("'7-sweeps'", "DNS-1035")),
    Mistake("min over max", JOB, f"{GROUP}.minReplicas", 5, ("minReplicas 5 is more than maxReplicas 2",)),
    Mistake("replicas", JOB, f"{GROUP}.replicas", 9, ("replicas 9 is not between 0 and 2",)),
    Mistake(
        "group twice",
        JOB,
        f"{CLUSTER}.workerGroupSpecs.1.groupName",
        "l4",
        ("groupName", "'l4' is used twice"),
        "gke",
    ),
    Mistake("restart policy", JOB, f"{WORKER}.restartPolicy", "OnFailure", ("'OnFailure'", "autoscaler v2")),
    Mistake("no version", JOB, f"{CLUSTER}.rayVersion", GONE, ("rayVersion", "is missing", "token")),
    Mistake(
        "no tokens",
        JOB,
        f"{CLUSTER}.rayVersion",
        "2.49.1",
        ("Ray 2.49.1 does not support token authentication",),
    ),
    Mistake("empty deletion strategy", JOB, "spec.deletionStrategy", {}, ("deletionStrategy", "is empty")),
    Mistake(
        "workers deleted under the autoscaler",
        JOB,
        "spec.deletionStrategy",
        {"deletionRules": DELETE_WORKERS},
        ("DeleteWorkers", "autoscaling"),
        more=(("spec.shutdownAfterJobFinishes", False), ("spec.ttlSecondsAfterFinished", 0)),
    ),
    Mistake(
        "rules beside shutdown",
        JOB,
        "spec.deletionStrategy",
        {"deletionRules": RULES[:1]},
        ("deletionRules and shutdownAfterJobFinishes exclude",),
    ),
    Mistake(
        "self before cluster",
        JOB,
        "spec.deletionStrategy",
        {"deletionRules": RULES},
        ("for FAILED, DeleteSelf comes before DeleteCluster", "larger ttlSeconds"),
    ),
    Mistake("lifetime", JOB, "spec.shutdownAfterJobFinishes", False, ("ttlSecondsAfterFinished", "kept")),
    Mistake("no cluster", JOB, CLUSTER, GONE, ("rayClusterSpec", "no cluster to run on")),
    Mistake("Redis", JOB, f"{HEAD}.containers.0.env", REDIS, ("RAY_REDIS_ADDRESS", "restored")),
    Mistake(
        "labels for ray start",
        JOB,
        f"{GROUP}.rayStartParams",
        {"labels": "a=b"},
        ("rayStartParams.labels", "not supported", "`labels`"),
    ),
    Mistake(
        "autoscaler twice",
        JOB,
        f"{HEAD}.containers.0.env",
        [{"name": "RAY_enable_autoscaler_v2", "value": "1"}],
        ("RAY_enable_autoscaler_v2 beside autoscalerOptions.version",),
    ),
    # What a sweep needs besides.
    Mistake("few submitters", JOB, "spec.submitterConfig.backoffLimit", 2, ("2 submitters", "6 or more")),
    Mistake("KubeRay's submitter", JOB, f"{SUBMITTER}.containers.0.command", GONE, ("log stream breaks",)),
    Mistake("waits for ever", JOB, "spec.preRunningDeadlineSeconds", GONE, ("waits for ever",)),
    Mistake(
        "trials on the head",
        JOB,
        f"{CLUSTER}.headGroupSpec.rayStartParams.num-cpus",
        "4",
        ("num-cpus", "driver's node"),
    ),
    Mistake("open head", JOB, f"{CLUSTER}.authOptions", GONE, ("authOptions.mode", "run code")),
    Mistake("idle pods", JOB, f"{GROUP}.minReplicas", 1, ("1 pods are paid for while nothing runs",)),
    Mistake(
        "short grace", JOB, f"{WORKER}.terminationGracePeriodSeconds", 30, ("30 s", "drain", "60 or more")
    ),
    Mistake("no shared memory", JOB, f"{WORKER}.volumes.3.emptyDir", {}, ("/dev/shm", "medium Memory")),
    Mistake(
        "more than the quota",
        "ResourceQuota/frontier",
        "spec.hard.requests@nvidia@com~gpu",
        "24",
        ("24 GPUs", "may hold 48", "maxReplicas"),
        "gke",
    ),
    Mistake(
        "workers that nobody raises",
        JOB,
        f"{CLUSTER}.enableInTreeAutoscaling",
        GONE,
        ("workerGroupSpecs.0.replicas", "no trial would ever run", "without autoscaling"),
    ),
    Mistake("no workers", JOB, f"{GROUP}.maxReplicas", 0, ("maxReplicas is 0 in every group",)),
    Mistake("no groups", JOB, f"{CLUSTER}.workerGroupSpecs", [], ("there is no group",)),
    Mistake(
        "misspelt submitter",
        JOB,
        f"{SUBMITTER}.containers.0.command",
        ["python", "-m", "orchestrator.cluster.submiter"],
        ("'orchestrator.cluster.submiter'", "never be submitted", "orchestrator.cluster.submitter"),
    ),
    Mistake(
        "another entrypoint",
        JOB,
        f"{SUBMITTER}.containers.0.args",
        ["--", "frontier run /etc/frontier/other.yaml --address auto"],
        ("containers.0.args", "is not the job's entrypoint", "sweep.yaml"),
    ),
    Mistake(
        "a file that is not mounted",
        JOB,
        "spec.entrypoint",
        "frontier run /etc/frontiers/sweep.yaml --address auto --exit-zero",
        ("spec.entrypoint", "nothing is mounted at /etc/frontiers of the head"),
    ),
    Mistake("no sweep", JOB, "spec.entrypoint", "sleep 3600", ("'sleep 3600' runs no sweep",)),
    Mistake("starts by itself", JOB, "spec.suspend", False, ("spec.suspend", "would start it")),
    Mistake(
        "records nowhere",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.0.mountPath",
        "/stroage",
        ("worker cpu: /storage/sweeps", "on no shared volume", "frontier-storage"),
    ),
    Mistake(
        "records in a pod's own space",
        JOB,
        f"{WORKER}.volumes.0",
        {"name": "storage", "emptyDir": {}},
        ("worker cpu: /storage/sweeps", "on no shared volume"),
    ),
    Mistake(
        "records on the head alone",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.0.readOnly",
        True,
        ("worker cpu: /storage/sweeps", "is read-only"),
    ),
    Mistake(
        "corpora that trials change",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.1.readOnly",
        GONE,
        ("worker cpu: a trial could change the corpora in /data", "readOnly: true"),
    ),
    Mistake(
        "no corpora",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.1.mountPath",
        "/corpora",
        ("worker cpu: /data", "is not mounted"),
    ),
    Mistake(
        "weights that trials change",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.4.readOnly",
        GONE,
        ("worker cpu: a trial could change the weights in /storage/sweeps/cache", "subPath: sweeps/cache"),
    ),
    Mistake(
        "other weights",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.4.subPath",
        "cache",
        ("worker cpu: the contents of /storage/sweeps/cache are not what the head stages there",),
    ),
    Mistake("no quota", "ResourceQuota/frontier", "", GONE, ("no quota of requests.nvidia.com/gpu",)),
    Mistake("no budget", "PodDisruptionBudget/ray-head", "", GONE, ("no budget holds the head",)),
    Mistake(
        "budget of workers",
        "PodDisruptionBudget/ray-head",
        "spec.selector",
        {"matchLabels": {"ray.io/is-ray-node": "yes"}},
        ("spec.selector", "selects workers"),
    ),
    Mistake(
        "toleration's operator",
        JOB,
        f"{WORKER}.tolerations.0.operator",
        "Exist",
        ("tolerations.0.operator", "'Exist'", "'Exists'"),
        "single-gpu",
    ),
    Mistake(
        "toleration's effect",
        JOB,
        f"{WORKER}.tolerations.0.effect",
        "NoSchedul",
        ("tolerations.0.effect", "'NoSchedul'", "'NoSchedule'"),
        "single-gpu",
    ),
    Mistake(
        "toleration of nothing",
        JOB,
        f"{WORKER}.tolerations.0.operator",
        "Equal",
        ("tolerations.0.key", "is missing"),
        "single-gpu",
        more=((f"{WORKER}.tolerations.0.key", GONE),),
    ),
    # Rights and secrets.
    Mistake(
        "the cluster for the head",
        "RoleBinding/frontier-user",
        "roleRef",
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        ("subjects.0", "service account frontier-head has ClusterRole cluster-admin"),
        more=(
            ("kind", "ClusterRoleBinding"),
            ("subjects", [{"kind": "ServiceAccount", "name": "frontier-head", "namespace": "frontier"}]),
        ),
    ),
    Mistake(
        "the cluster for all accounts",
        "RoleBinding/frontier-user",
        "roleRef",
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        ("group system:serviceaccounts:frontier", "ClusterRole edit"),
        more=(("subjects.0.name", "system:serviceaccounts:frontier"),),
    ),
    Mistake(
        "everything for workers",
        "Role/frontier-user",
        "rules.0.resources",
        ["*"],
        ("subjects.0", "service account frontier-worker has Role frontier-user, with * in resources"),
        also=(
            (
                "RoleBinding/frontier-user",
                "subjects",
                [{"kind": "ServiceAccount", "name": "frontier-worker"}],
            ),
        ),
    ),
    Mistake(
        "key in the clear",
        JOB,
        f"{WORKER}.containers.0.env",
        [{"name": "AWS_SECRET_ACCESS_KEY", "value": "abc"}],
        ("worker cpu: AWS_SECRET_ACCESS_KEY is a secret in the clear", "secretKeyRef"),
    ),
    Mistake(
        "password in the clear",
        "Deployment/mlflow",
        "spec.template.spec.containers.0.env.1",
        {"name": "MLFLOW_AUTH_ADMIN_PASSWORD", "value": "abc"},
        ("mlflow: MLFLOW_AUTH_ADMIN_PASSWORD is a secret in the clear",),
    ),
    Mistake(
        "password in a URI",
        "Deployment/mlflow",
        "spec.template.spec.initContainers.0.env.0",
        {"name": "MLFLOW_BACKEND_STORE_URI", "value": "postgresql://mlflow:abc@mlflow-postgres/mlflow"},
        ("mlflow: MLFLOW_BACKEND_STORE_URI is a secret in the clear",),
    ),
    Mistake(
        "secret in git",
        "ServiceAccount/frontier-submitter",
        "kind",
        "Secret",
        ("Secret/frontier-submitter", "would be in git"),
        more=(("stringData", {"key": "abc"}), ("automountServiceAccountToken", GONE)),
    ),
    Mistake(
        "tokens off beside authOptions",
        JOB,
        f"{WORKER}.containers.0.env",
        [{"name": "RAY_AUTH_MODE", "value": "disabled"}],
        ("worker cpu: RAY_AUTH_MODE is 'disabled'", "write 'token'"),
    ),
    *(
        Mistake(
            f"{name} on",
            JOB,
            f"{HEAD}.containers.0.env",
            [{"name": name, "value": value}],
            (f"head: {name} is {value!r}, which turns a promise of SECURITY.md off",),
        )
        for name, value in (
            ("RAY_USAGE_STATS_ENABLED", "1"),
            ("HF_HUB_DISABLE_TELEMETRY", "0"),
            ("MLFLOW_DISABLE_TELEMETRY", "false"),
        )
    ),
    Mistake(
        "MLflow's password for trials",
        JOB,
        f"{WORKER}.containers.0.envFrom",
        [{"secretRef": {"name": "frontier-mlflow", "optional": True}}],
        ("worker cpu: it gets the secret frontier-mlflow, which is for head and mlflow alone",),
    ),
    Mistake(
        "the database's password for trials",
        JOB,
        f"{WORKER}.containers.0.env",
        [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "frontier-mlflow-server", "key": "k"}}}],
        ("it gets the secret frontier-mlflow-server, which is for mlflow and mlflow-postgres alone",),
    ),
    # Resources.
    Mistake(
        "memroy",
        JOB,
        f"{WORKER}.containers.0.resources.limits",
        {"cpu": "2", "memroy": "4Gi"},
        ("limits.memroy", "no resource 'memroy'", "'memory'"),
    ),
    Mistake(
        "GPUs",
        JOB,
        f"{WORKER}.containers.0.resources.limits.nvidia@com~gpus",
        "1",
        ("'nvidia.com/gpus'", "'nvidia.com/gpu'"),
        "single-gpu",
    ),
    Mistake(
        "limit over request",
        JOB,
        f"{WORKER}.containers.0.resources.requests.memory",
        "1Gi",
        ("memory: the request is 1Gi, the limit 4Gi", "make them equal"),
    ),
    Mistake("amount", JOB, f"{WORKER}.containers.0.resources.limits.memory", "4 GB", ("'4 GB'",)),
    Mistake(
        "all memory is shared memory",
        JOB,
        f"{WORKER}.volumes.3.emptyDir.sizeLimit",
        "4Gi",
        ("sizeLimit", "well below"),
    ),
    # Pod Security, on the pods that KubeRay will make.
    Mistake("namespace", "Namespace/frontier", "metadata.labels", {}, ("enforce", "None", "restricted")),
    Mistake("root", JOB, f"{HEAD}.securityContext.runAsUser", 0, ("head would run as root",)),
    Mistake(
        "autoscaler",
        JOB,
        f"{CLUSTER}.autoscalerOptions.securityContext",
        GONE,
        ("autoscaler, which KubeRay adds, of head", "allowPrivilegeEscalation", "autoscalerOptions"),
    ),
    Mistake(
        "init container",
        JOB,
        f"{WORKER}.containers.0.securityContext",
        GONE,
        ("wait-gcs-ready, which KubeRay adds, of worker cpu", "restricted"),
    ),
    Mistake(
        "default submitter",
        JOB,
        "spec.submitterPodTemplate",
        GONE,
        ("ray-job-submitter, which KubeRay adds, of submitter", "runAsNonRoot"),
    ),
    Mistake(
        "sidecar submitter",
        JOB,
        "spec.submissionMode",
        "SidecarMode",
        ("ray-job-submitter, which KubeRay adds, of head", "restricted"),
        more=(("spec.submitterPodTemplate", GONE), ("spec.submitterConfig", GONE)),
    ),
    Mistake(
        "host path",
        JOB,
        f"{WORKER}.volumes.0",
        {"name": "storage", "hostPath": {"path": "/srv"}},
        ("volumes.0.hostPath", "restricted forbids hostPath"),
    ),
    Mistake("host network", JOB, f"{HEAD}.hostNetwork", True, ("hostNetwork", "restricted")),
    Mistake("seccomp", JOB, f"{WORKER}.securityContext.seccompProfile", GONE, ("seccompProfile", "None")),
    Mistake(
        "capability",
        JOB,
        f"{HEAD}.containers.0.securityContext.capabilities",
        {"drop": ["ALL"], "add": ["SYS_ADMIN"]},
        ("capabilities.add", "SYS_ADMIN"),
    ),
    Mistake(
        "seccomp of the pod",
        JOB,
        f"{WORKER}.securityContext.seccompProfile.type",
        "Unconfined",
        ("worker cpu: 'Unconfined' breaks Pod Security restricted",),
        more=((f"{WORKER}.containers.0.securityContext.seccompProfile", {"type": "RuntimeDefault"}),),
    ),
    Mistake(
        "seccomp of the container",
        JOB,
        f"{WORKER}.containers.0.securityContext.seccompProfile",
        {"type": "Unconfined"},
        ("containers.0.securityContext.seccompProfile.type", "'Unconfined'"),
    ),
    Mistake(
        "SELinux of the pod",
        JOB,
        f"{HEAD}.securityContext.seLinuxOptions",
        {"type": "spc_t"},
        ("seLinuxOptions.type", "head: 'spc_t' breaks Pod Security restricted"),
    ),
    Mistake(
        "SELinux of the container",
        JOB,
        f"{HEAD}.containers.0.securityContext.seLinuxOptions",
        {"user": "system_u"},
        ("containers.0.securityContext.seLinuxOptions.user", "'system_u'"),
    ),
    Mistake(
        "AppArmor of the pod",
        JOB,
        f"{SUBMITTER}.securityContext.appArmorProfile",
        {"type": "Unconfined"},
        ("appArmorProfile.type", "submitter: 'Unconfined' breaks Pod Security restricted"),
    ),
    Mistake(
        "AppArmor of the container",
        JOB,
        f"{SUBMITTER}.containers.0.securityContext.appArmorProfile",
        {"type": "Unconfined"},
        ("containers.0.securityContext.appArmorProfile.type", "'Unconfined'"),
    ),
    # Names.
    Mistake(
        "volume twice", JOB, f"{WORKER}.volumes.2.name", "data", ("volumes.2.name", "'data' is used twice")
    ),
    Mistake(
        "mount path twice",
        JOB,
        f"{WORKER}.containers.0.volumeMounts.2.mountPath",
        "/data/",
        ("volumeMounts.2.mountPath", "'/data' is mounted twice"),
    ),
    Mistake(
        "not renamed with its ConfigMap",
        JOB,
        f"{WORKER}.containers.0.envFrom.0.configMapRef.name",
        "frontier-env",
        ("no ConfigMap 'frontier-env'", "kustomize has renamed it", "name-references.yaml"),
    ),
    Mistake(
        "claim", JOB, f"{WORKER}.volumes.0.persistentVolumeClaim.claimName", "storage", ("Claim 'storage'",)
    ),
    Mistake(
        "service account",
        JOB,
        f"{HEAD}.serviceAccountName",
        "frontier-heads",
        ("no ServiceAccount 'frontier-heads'", "'frontier-head'"),
    ),
    Mistake(
        "secret",
        "Deployment/mlflow",
        "metadata.annotations",
        {},
        ("Secret 'frontier-mlflow-server'", "frontier/needs-secrets"),
    ),
    Mistake(
        "mount", JOB, f"{WORKER}.containers.0.volumeMounts.0.name", "stoarge", ("'stoarge'", "'storage'")
    ),
    Mistake("binding", "RoleBinding/frontier-user", "roleRef.name", "user", ("no Role 'user'",)),
    Mistake(
        "budget of nothing",
        "PodDisruptionBudget/ray-head",
        "spec.selector.matchLabels",
        {"ray.io/node-type": "haed"},
        ("no pod has the labels ray.io/node-type=haed",),
    ),
    Mistake(
        "namespace of another",
        "ServiceAccount/frontier-head",
        "metadata.namespace",
        "frontiers",
        ("no namespace 'frontiers'", "'frontier'"),
    ),
    Mistake(
        "namespace on what has none",
        "ClusterQueue/frontier",
        "metadata.namespace",
        "frontier",
        ("a ClusterQueue belongs to no namespace",),
        "onprem",
    ),
    # The network.
    Mistake(
        "submitter shut out",
        "NetworkPolicy/submitter",
        "spec.egress.0.ports.0.port",
        8266,
        ("submitter -> head:8265 is blocked", "never submitted"),
    ),
    Mistake(
        "operator shut out",
        "NetworkPolicy/head-dashboard",
        "spec.ingress.0.from",
        [{"podSelector": {"matchLabels": {"frontier/role": "submitter"}}}],
        ("KubeRay operator -> head:8265 is blocked",),
    ),
    Mistake("no names", "NetworkPolicy/dns", "spec.egress", [], ("DNS:53 is blocked",)),
    Mistake(
        "ray nodes apart",
        "NetworkPolicy/ray-nodes",
        "spec.podSelector.matchLabels",
        {"ray.io/node-type": "head"},
        ("head:6379 is blocked", "cannot join"),
    ),
    Mistake(
        "no API server",
        "NetworkPolicy/head-apiserver",
        "spec.egress",
        [],
        ("head -> the API server:443 is blocked", "autoscaler"),
    ),
    Mistake("no metrics", "NetworkPolicy/ray-metrics", "spec.ingress", [], ("Prometheus -> head:8080",)),
    Mistake(
        "MLflow shut", "NetworkPolicy/head-mlflow", "spec.egress", [], ("head -> mlflow:5000 is blocked",)
    ),
    Mistake(
        "open to the namespace",
        "NetworkPolicy/ray-nodes",
        "spec.ingress",
        [{"from": [{"podSelector": {}}]}],
        ("spec.ingress.0", "every pod of namespace frontier -> head, worker cpu, at any port, is open"),
    ),
    Mistake(
        "open to other namespaces",
        "NetworkPolicy/head-dashboard",
        "spec.ingress.0.from.1.namespaceSelector",
        {},
        ("pods with app.kubernetes.io/name=kuberay-operator of any namespace -> head, at 8265, is open",),
    ),
    Mistake(
        "Ray's client for all",
        "NetworkPolicy/head-dashboard",
        "spec.ingress",
        [{"ports": [{"port": 10001}]}],
        ("everybody -> head, at 10001, is open", "k8s/README.md"),
    ),
    Mistake(
        "worker ports for all",
        "NetworkPolicy/ray-nodes",
        "spec.ingress",
        [{"ports": [{"port": 30000, "endPort": 60000}]}],
        ("everybody -> head, worker cpu, at 30000-60000, is open",),
    ),
    Mistake(
        "metrics for all",
        "NetworkPolicy/ray-metrics",
        "spec.ingress.0.from",
        GONE,
        ("everybody -> head, worker cpu, at 8080, is open",),
    ),
    Mistake(
        "metrics by name for all",
        "NetworkPolicy/ray-metrics",
        "spec.ingress",
        [{"ports": [{"port": "metrics"}]}],
        ("everybody -> head, worker cpu, at 8080, is open",),
    ),
    Mistake(
        "open to all",
        "NetworkPolicy/default-deny",
        "spec.egress",
        [{}],
        ("submitter", "-> everybody and the metadata server", "at any port, is open"),
    ),
    Mistake(
        "no policy for a pod",
        "NetworkPolicy/default-deny",
        "spec.podSelector.matchLabels",
        {"app": "another"},
        ("submitter is open: no policy selects it for Ingress",),
    ),
    Mistake(
        "the internet for workers",
        "NetworkPolicy/ray-nodes",
        "spec.egress",
        [{"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"port": 443}]}],
        ("head, worker cpu -> everybody", "at 443, is open"),
    ),
    Mistake(
        "remote shells",
        "NetworkPolicy/ray-buckets",
        "spec.egress.0.ports.0.port",
        22,
        ("0.0.0.0/0 without 10.0.0.0/8", "at 22, is open"),
        "eks",
    ),
    Mistake(
        "buckets that nobody meant",
        "NetworkPolicy/ray-buckets",
        "metadata.annotations",
        GONE,
        ("0.0.0.0/0 without 10.0.0.0/8", "at 443, is open"),
        "gke",
    ),
    Mistake(
        "the internet as a store of one's own",
        "NetworkPolicy/ray-buckets",
        "metadata.annotations.frontier~allows",
        "object-store",
        ("0.0.0.0/0 without 10.0.0.0/8", "at 443, is open"),
        "gke",
    ),
    Mistake(
        "names from anywhere",
        "NetworkPolicy/dns",
        "spec.egress.0.to",
        GONE,
        ("submitter", "-> everybody", "at 53/UDP, is open"),
    ),
    Mistake(
        "workers at the API server",
        "NetworkPolicy/head-apiserver",
        "spec.podSelector.matchLabels",
        {"ray.io/is-ray-node": "yes"},
        ("worker cpu -> 10.0.0.0/8, at 443, is open",),
    ),
    Mistake(
        "the head at every server of the house",
        "NetworkPolicy/head-apiserver",
        "metadata.annotations",
        GONE,
        ("head -> 10.0.0.0/8, at 443, is open", "narrow its peers"),
    ),
    Mistake(
        "MLflow in the internet",
        "NetworkPolicy/mlflow",
        "spec.egress",
        [{}],
        ("mlflow -> everybody", "at any port, is open"),
    ),
    Mistake(
        "trials write to MLflow",
        "NetworkPolicy/mlflow",
        "spec.ingress.0.from.0.podSelector.matchLabels",
        {"ray.io/is-ray-node": "yes"},
        ("pods with ray.io/is-ray-node=yes of namespace frontier -> mlflow, at 5000, is open",),
    ),
    Mistake(
        "workers at MLflow",
        "NetworkPolicy/head-mlflow",
        "spec.podSelector",
        {"matchExpressions": [{"key": "ray.io/node-type", "operator": "In", "values": ["head", "worker"]}]},
        ("worker cpu -> pods with app.kubernetes.io/name=mlflow of namespace frontier, at 5000, is open",),
    ),
    Mistake(
        "database for all",
        "NetworkPolicy/mlflow-postgres",
        "spec.ingress",
        [{}],
        ("everybody -> mlflow-postgres, at any port, is open",),
    ),
    Mistake(
        "node's role",
        "NetworkPolicy/ray-buckets",
        "spec.egress.0.to.0.ipBlock.except",
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
        ("and the metadata server, which hands out the node's role", "at 443, is open"),
        "eks",
    ),
    # Kueue.
    Mistake(
        "autoscaled under Kueue",
        JOB,
        f"{CLUSTER}.enableInTreeAutoscaling",
        True,
        ("enableInTreeAutoscaling", "Kueue", "fixed size"),
        "onprem",
    ),
    Mistake("elastic under Kueue", JOB, f"{GROUP}.maxReplicas", 4, ("differ", "one number"), "onprem"),
    Mistake(
        "more than the queue has",
        JOB,
        f"{GROUP}.replicas",
        9,
        ("asks for 36 GPUs", "wait for ever"),
        "onprem",
        more=((f"{GROUP}.minReplicas", 9), (f"{GROUP}.maxReplicas", 9)),
    ),
    Mistake("queue", JOB, "metadata.annotations.frontier~queue", "sweep", ("queue 'sweep'",), "onprem"),
    Mistake(
        "template that Kueue would start",
        JOB,
        "metadata.labels",
        {"kueue.x-k8s.io/queue-name": "sweeps"},
        ("Kueue would start the suspended template",),
        "onprem",
    ),
    Mistake(
        "flavour",
        "ClusterQueue/frontier",
        "spec.resourceGroups.0.flavors.0.name",
        "a10",
        ("no ResourceFlavor 'a10'", "'a100'"),
        "onprem",
    ),
    # Versions.
    Mistake(
        "another Ray",
        JOB,
        f"{WORKER}.containers.0.image",
        "frontier:0.1.0-ray2.59.0",
        ("holds Ray 2.59.0, and rayVersion is 2.60.0",),
    ),
    Mistake("latest", JOB, f"{SUBMITTER}.containers.0.image", "frontier", ("is a moving tag",)),
    Mistake(
        "two images",
        JOB,
        f"{HEAD}.containers.0.image",
        "frontier:0.2.0-ray2.60.0",
        ("run several images", "0.2.0"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_told_in_words_that_mend_it(mistake: Mistake) -> None:
    documents = overlay(mistake.overlay)
    changes = [(mistake.where, path, value) for path, value in ((mistake.path, mistake.value), *mistake.more)]
    named = {f"{document.kind}/{document.name}": document for document in documents}
    for where, path, value in (*changes, *mistake.also):
        if path:
            _set(named[where], path, value)
        else:
            documents.remove(named[where])
    problems = check_manifests(documents, ask_ray=False)
    told = [str(problem) for problem in problems]
    assert any(all(word in line for word in mistake.words) for line in told), "\n".join(told) or "silence"
    for problem in problems:
        assert problem.where.startswith(mistake.overlay)
        assert problem.problem
        assert problem.fix


def test_all_mistakes_are_told_at_once() -> None:
    documents = overlay("local-cpu")
    [job] = [d for d in documents if d.kind == "RayJob"]
    several = [m for m in MISTAKES if m.name in ("submission mode", "memroy", "short grace", "latest")]
    for mistake in several:
        _set(job, mistake.path, mistake.value)
    told = [str(problem) for problem in check_manifests(documents)]
    for mistake in several:
        assert any(all(word in line for word in mistake.words) for line in told)


def test_a_mistake_has_one_place_in_the_table() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 40


def test_what_only_ray_refuses_is_told_by_ray() -> None:
    documents = overlay("local-cpu")
    [job] = [d for d in documents if d.kind == "RayJob"]
    _set(job, f"{GROUP}.rayStartParams", {"resources": "{not json"})
    [problem] = check_manifests(documents)
    assert "Ray's autoscaler cannot read it" in problem.problem


def _set(document: Document, path: str, value: Any) -> None:
    """`@` and `~` stand for the dots and the slash that a key itself holds: `nvidia@com~gpus`."""
    keys = path.replace("~", "/").split(".")
    holder: Any = document.body
    for key in keys[:-1]:
        holder = holder[int(key)] if isinstance(holder, list) else holder.setdefault(key, {})
    last: Any = int(keys[-1]) if isinstance(holder, list) else keys[-1].replace("@", ".")
    if value is GONE:
        holder.pop(last)
    else:
        holder[last] = value
