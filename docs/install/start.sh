#!/bin/sh
# Starts the dashboard on TrueNAS itself: Init/Shutdown Scripts, type Script, when Post Init. Its files are in the same
# folder. TrueNAS's own system is not changed: the service exists until the next boot, when this script runs again.
set -eu
cd "$(dirname "$0")"
folder=$(pwd)
unit=truenas-vm-manager
program=$folder/truenas-vm-manager-$(uname -m).run

# The service may not write here, so a new version is extracted before; a file that cannot be used stops nothing.
"$program" version > /dev/null

systemctl stop "$unit" 2> /dev/null || true
# systemd may still know the unit of the last start, and starts no other of the same name then.
rm -f "/run/systemd/transient/$unit.service"
systemctl daemon-reload
systemctl reset-failed "$unit" 2> /dev/null || true
mkdir -p "$folder/state"
chmod 700 "$folder/state"
chmod 600 "$folder/.env"

# Anyone who can open the middleware's socket is root on the NAS; the sandbox blocks everything else.
exec systemd-run --unit="$unit" --description="TrueNAS VM Manager" --collect \
  --working-directory="$folder" \
  --property=Restart=on-failure --property=RestartSec=5 --property=TimeoutStopSec=15 \
  --property=NoNewPrivileges=yes --property=CapabilityBoundingSet= \
  --property=ProtectSystem=strict --property=ReadWritePaths="$folder/state" \
  --property=ProtectHome=yes --property=PrivateTmp=yes --property=PrivateDevices=yes \
  --property=ProtectKernelTunables=yes --property=ProtectKernelModules=yes --property=ProtectControlGroups=yes \
  --property=RestrictAddressFamilies="AF_UNIX AF_INET AF_INET6" --property=RestrictNamespaces=yes \
  --property=LockPersonality=yes --property=SystemCallArchitectures=native --property=LimitCORE=0 \
  "$program" serve
