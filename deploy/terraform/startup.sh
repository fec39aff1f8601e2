#!/bin/bash
# Runs at each boot of the machine: disk, Docker, the files that Terraform put into the metadata, then Compose. Safe to run again.
set -euo pipefail
home=/opt/ai-usage
disk=/dev/disk/by-id/google-volumes
metadata() { curl --fail --silent --show-error -H 'Metadata-Flavor: Google' "http://169.254.169.254/computeMetadata/v1/instance/$1"; }

# The disk holds /var/lib/docker, and with it every volume. A new one is formatted; one with a file system never is.
if ! blkid "$disk" >/dev/null; then mkfs.ext4 -m 1 -L volumes "$disk"; fi
mkdir -p /var/lib/docker
grep -q ' /var/lib/docker ' /etc/fstab || echo "LABEL=volumes /var/lib/docker ext4 defaults,discard 0 2" >> /etc/fstab
mountpoint -q /var/lib/docker || mount /var/lib/docker

if ! command -v docker-compose >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y docker.io docker-compose curl iptables unattended-upgrades
fi

mkdir -p "$home/deploy/postgres" "$home/scripts"
metadata attributes/compose-file > "$home/docker-compose.yml"
metadata attributes/postgres-script > "$home/deploy/postgres/10-metabase.sh"
metadata attributes/marts-script > "$home/deploy/postgres/20-marts.sh"
metadata attributes/secrets-script > "$home/scripts/secrets"
metadata attributes/environment > "$home/.env"
chmod 0755 "$home"/deploy/postgres/*.sh "$home/scripts/secrets"
# The passwords of the two databases must outlive the boot disk, as the databases do.
SECRETS_DIR=/var/lib/docker/ai-usage-secrets "$home/scripts/secrets"
echo "SECRETS_DIR=/var/lib/docker/ai-usage-secrets" >> "$home/.env"

# The machine's identity is the pipeline's. Of the containers only the code server may ask for it: its network is the first, see
# docker-compose.yml.
systemctl start docker
iptables -N DOCKER-USER 2>/dev/null || true
while iptables -D DOCKER-USER -d 169.254.169.254 ! -s 172.31.250.0/24 -j DROP 2>/dev/null; do :; done
iptables -I DOCKER-USER -d 169.254.169.254 ! -s 172.31.250.0/24 -j DROP

registry=$(sed -n 's,^PLATFORM_IMAGE=\([^/]*\)/.*,\1,p' "$home/.env")
token=$(metadata service-accounts/default/token | sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p')
cd "$home"
export DOCKER_CONFIG
DOCKER_CONFIG=$(mktemp -d)
trap 'rm -rf "$DOCKER_CONFIG"' EXIT
if [ -n "$registry" ]; then
  printf '%s' "$token" | docker login --username oauth2accesstoken --password-stdin "https://$registry"
fi
docker-compose pull --quiet
docker-compose up --detach --no-build --remove-orphans
