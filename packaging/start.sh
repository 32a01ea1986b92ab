#!/bin/sh
# Starts TrueNAS VM Manager with the permissions it needs and no others; it drops most of them when it knows its settings.
set -eu
folder=$(dirname "$(readlink -f "$0")")

# Compiled code is kept for the next start, where the one who starts may write it. Nobody else may: it is run.
if [ -z "${DENO_DIR:-}" ]; then
  DENO_DIR=/nonexistent
  if [ -w "$folder/cache" ]; then DENO_DIR=$folder/cache; fi
fi
export DENO_DIR DENO_NO_UPDATE_CHECK=1

exec "$folder/runtime" run @FLAGS@ "$folder/program/main.js" "$@"
