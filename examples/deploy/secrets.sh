#!/bin/sh
# Makes what is secret, once: files below secrets/, and lines of .env.
set -eu
cd "$(dirname "$0")"
umask 077
if [ -e secrets/proxy_secret ]; then
    echo "secrets/ is there already; nothing was changed"
    exit 0
fi
random() { python3 -c "import secrets; print(secrets.token_hex(32))"; }
mkdir -p secrets
proxy=$(random) s3_key=$(random | cut -c1-20) s3_secret=$(random)
echo "$proxy" > secrets/proxy_secret
echo "proxy_set_header X-Registry-Hooks-Proxy \"$proxy\";" > secrets/proxy_header
random > secrets/metrics_token
cat > secrets/s3_users <<END
{"identities": [{"name": "mlflow", "credentials": [{"accessKey": "$s3_key", "secretKey": "$s3_secret"}],
                 "actions": ["Admin", "Read", "Write", "List"]}]}
END
cat >> .env <<END
POSTGRES_PASSWORD=$(random)
S3_KEY=$s3_key
S3_SECRET=$s3_secret
COOKIE_SECRET=$(random | cut -c1-32)
END
# Compose gives files of secrets to containers as they are: their users must be able to read them.
chmod 755 secrets
chmod 644 secrets/*
echo "made secrets/ and appended to .env; put cert.pem and key.pem into secrets/ too"
