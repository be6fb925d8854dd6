"""What the tests render: the least that the chart takes, and each option on top of it."""

from tests.deploy.chart import Values

DEMO: Values = {"demo": {"enabled": True}}
LEAST: Values = {
    "auth": {"mode": "jwt", "secret": {"name": "quire-auth"}},
    "kafka": {"bootstrap": "kafka-0.example.com:9092,kafka-1.example.com:9093"},
    "postgres": {role: {"secret": f"postgres-{role}"} for role in ("owner", "processor", "notifier")},
}
SASL: Values = {
    "securityProtocol": "SASL_SSL",
    "ca": {"name": "kafka-ca"},
    "user": {"name": "quire", "secret": "kafka-quire"},
    "users": {"prepare": {"name": "quire-admin", "secret": "kafka-admin", "key": "password"}},
}
OPTIONS: dict[str, Values] = {
    "images": {
        "image": {
            "registry": "registry.example.com/team",
            "tag": "0.1.0-3",
            "digests": {"processor": f"sha256:{'0' * 64}"},
            "pullSecrets": ["registry"],
        }
    },
    "jwks": {"auth": {"secret": {"name": ""}, "jwksUrl": "https://sso.example.com/jwks", "linkSecret": {"name": "quire-links"}}},
    "public key": {"auth": {"secret": {"name": ""}, "publicKey": {"name": "quire-key"}, "linkSecret": {"name": "quire-links"}}},
    "sasl": {"kafka": SASL},
    "authorities of one's own": {"postgres": {"ca": {"name": "postgres-ca"}}, "s3": {"ca": {"name": "s3-ca", "key": "root.pem"}}},
    "s3": {"s3": {"endpoint": "https://s3.example.com:9443", "secret": "s3", "secrets": {"notifier": "s3-read"}}},
    "settings": {
        "config": {"QUIRE_LOG_LEVEL": "debug", "QUIRE_BATCH_SIZE": 10},
        "ingest": {"config": {"QUIRE_SHUTDOWN_SECONDS": 61.5}, "preStopSeconds": 12},
        "processor": {"config": {"QUIRE_MAX_CHARACTERS": 20_000_000, "QUIRE_HAND_OVER_SECONDS": 120}},
        "notifier": {"config": {"QUIRE_DRAIN_SECONDS": 30, "QUIRE_LOG_LEVEL": "warning", "QUIRE_MAX_SOCKETS_PER_ADDRESS": 0}},
    },
    "pods": {
        name: {
            "podAnnotations": {"example.com/team": "documents"},
            "podLabels": {"example.com/team": "documents"},
            "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
            "nodeSelector": {"kubernetes.io/arch": "amd64"},
            "tolerations": [{"key": "documents", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
            "priorityClassName": "documents",
            "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": f"arn:aws:iam::1:role/{name}"}},
        }
        for name in ("ingest", "processor", "notifier")
    },
    "keda": {"keda": {"enabled": True, "dsn": {"secret": "postgres-keda"}}},
    "monitoring": {"monitoring": {"enabled": True, "labels": {"release": "prometheus"}}},
    "network policies": {"networkPolicy": {"enabled": True}},
    "narrow network policies": {
        "networkPolicy": {
            "enabled": True,
            "clients": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateways"}}}],
            "kafka": [{"ipBlock": {"cidr": "10.1.0.0/24"}}],
            "kafkaPorts": [9092, 9096],
            "postgres": [{"ipBlock": {"cidr": "10.2.0.0/24"}}],
            "s3": [{"ipBlock": {"cidr": "10.3.0.0/24"}}],
            "extraEgress": [{"to": [{"ipBlock": {"cidr": "169.254.170.23/32"}}], "ports": [{"port": 80}]}],
        }
    },
    "http route": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["quire.example.com"]}},
    "ingress": {
        "ingress": {
            "enabled": True,
            "className": "nginx",
            "host": "quire.example.com",
            "ingestHost": "upload.quire.example.com",
            "tlsSecret": "quire-tls",
            "annotations": {"cert-manager.io/cluster-issuer": "letsencrypt"},
        }
    },
    "own route": {"origins": ["https://quire.example.com"], "ingestUrl": "https://upload.example.com"},
    "strimzi": {"kafka": {"bootstrap": ""}, "strimzi": {"enabled": True, "cluster": "events"}},
    "cloudnativepg": {
        "postgres": {role: {"secret": ""} for role in ("owner", "processor", "notifier")},
        "cloudnativepg": {
            "enabled": True,
            "storage": {"storageClass": "fast"},
            "spec": {"resources": {"requests": {"cpu": "1"}}},
        },
    },
    "external secrets": {
        "externalSecrets": {
            "enabled": True,
            "store": {"name": "vault"},
            "secrets": {"postgres-owner": "quire/postgres/owner", "quire-auth": "quire/auth"},
        }
    },
    "maintenance": {
        "maintenance": {"sweep": {"enabled": True, "token": {"name": "quire-sweep"}}, "rebuild": {"enabled": True}},
    },
    "no prepare": {"prepare": {"enabled": False}},
    "nobody's access": {"auth": {"mode": "none", "secret": {"name": ""}}},
    "other nodes": {
        name: {"nodeSelector": {"pool": "quire"}, "tolerations": [{"key": "quire", "operator": "Exists"}]}
        for name in ("ingest", "processor", "notifier", "prepare", "maintenance", "test")
    },
    "test with a token": {"test": {"token": {"name": "quire-test"}}},
}


def over(*values: Values) -> Values:
    """The later ones over the earlier ones, as Helm merges them."""
    merged: Values = {}
    for more in values:
        for key, value in more.items():
            both = isinstance(value, dict) and isinstance(merged.get(key), dict)
            merged[key] = over(merged[key], value) if both else value
    return merged


EVERYTHING = over(
    LEAST, *(OPTIONS[name] for name in OPTIONS if name not in {"ingress", "no prepare", "nobody's access", "public key"})
)
SCENARIOS: dict[str, Values] = {
    "the least": LEAST,
    **{name: over(LEAST, values) for name, values in OPTIONS.items()},
    "everything at once": EVERYTHING,
    "demo": DEMO,
    "demo with volumes": over(
        DEMO, {"demo": {"persistence": {"enabled": True, "storageClass": "standard"}, "nodeSelector": {"pool": "quire"}}}
    ),
    "demo with all that fits": over(DEMO, *(OPTIONS[name] for name in ("keda", "monitoring", "network policies", "maintenance"))),
    "demo behind an ingress": over(DEMO, OPTIONS["ingress"], {"ingress": {"tlsSecret": ""}}),
}
