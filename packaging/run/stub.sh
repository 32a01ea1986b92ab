#!/bin/sh
{ # A file that was cut off ends within this block, which is then an error of syntax, or is refused by it.
  script_bytes=%SCRIPT_BYTES%
  archive_bytes=@ARCHIVE_BYTES@
  bytes=$(wc -c < "$0") || exit 2
  if [ "$bytes" -ne "$((script_bytes + archive_bytes))" ]; then
    printf '%s\n' "The file \"$0\" is damaged: it has $((bytes)) bytes instead of $((script_bytes + archive_bytes))." \
      "Nothing was installed. Download it again, and compare its SHA-256 with the published one." >&2
    exit 2
  fi
}

# TrueNAS VM Manager @VERSION@ for @ARCHITECTURE@. This file is a script followed by a compressed archive.
#
#   truenas-vm-manager-@ARCHITECTURE@.run [--extract-to DIR] [COMMAND] [OPTIONS]
#
# The first start extracts the archive to a folder of its own beside this file, or in DIR. Every start then runs the
# program there with the remaining arguments. To remove the program, delete the folder and this file.
set -eu

product=truenas-vm-manager
architecture=@ARCHITECTURE@
name=@NAME@
archive_sha256=@ARCHIVE_SHA256@
extracted_kib=@EXTRACTED_KIB@
oldest_libc=@OLDEST_LIBC@

# As the program's own: wrong usage or environment.
exit_usage=2

refuse() { # what happened, what to do
  printf '%s\n' "$1" "Nothing was installed. $2" >&2
  exit "$exit_usage"
}

main() {
  self=$(readlink -f "$0")
  parent=$(dirname "$self")
  case "${1:-}" in
    --extract-to)
      [ "$#" -ge 2 ] || refuse "--extract-to requires a folder." "Add its path: --extract-to DIR"
      parent=$2
      shift 2
      ;;
    --extract-to=*)
      parent=${1#--extract-to=}
      shift
      ;;
  esac
  # Renaming is the last step of extracting, so a folder of this name is complete.
  [ -x "$parent/$name/runtime" ] || extract
  exec "$parent/$name/$product" "$@"
}

extract() {
  expect_machine
  expect_archive
  expect_folder
  umask_before=$(umask)
  umask 022
  temporary=$(mktemp -d "$parent/.$product.XXXXXX") ||
    refuse "The folder \"$parent\" cannot be written." "Choose another one with --extract-to DIR."
  trap 'rm -rf "$temporary"' EXIT
  trap 'exit 130' HUP INT TERM
  expect_executable
  expect_space
  unpack
  expect_start
  install
  trap - EXIT HUP INT TERM
  rm -rf "$temporary"
  umask "$umask_before"
  printf '%s\n' "Extracted to $parent/$name" >&2
}

expect_machine() {
  machine=$(uname -m)
  [ "$(uname -s) $machine" = "Linux $architecture" ] ||
    refuse "This file is for Linux on $architecture, but this machine is $(uname -s) on $machine." \
      "Download $product-$machine.run if there is one."
  libc=$(getconf GNU_LIBC_VERSION 2> /dev/null) || libc="none"
  case "$libc" in
    "glibc 2."*) ;;
    *) refuse "The GNU C library was not found on this machine." \
      "Use a distribution that has it (Alpine has musl instead), or the container image." ;;
  esac
  minor=${libc#glibc 2.}
  minor=${minor%%[!0-9]*}
  [ "$minor" -ge "$oldest_libc" ] ||
    refuse "The GNU C library 2.$oldest_libc or later is required, but this machine has 2.$minor." \
      "Update the system, or use the container image."
}

expect_archive() {
  sha256=$(archive | sha256sum)
  [ "${sha256%% *}" = "$archive_sha256" ] ||
    refuse "The file \"$self\" is damaged: its contents do not match their SHA-256." \
      "Download it again, and compare its SHA-256 with the published one."
}

expect_folder() {
  [ -d "$parent" ] || refuse "The folder \"$parent\" does not exist." "Create it, then try again."
  [ -w "$parent" ] ||
    refuse "The folder \"$parent\" is read-only, or belongs to another user." \
      "Choose another one with --extract-to DIR, or run this file once as the owner of the folder."
}

expect_executable() {
  printf '#!/bin/sh\n' > "$temporary/try"
  chmod 755 "$temporary/try"
  "$temporary/try" 2> /dev/null ||
    refuse "Programs cannot run in \"$parent\": it is probably mounted with noexec." \
      "Choose a folder on another file system with --extract-to DIR."
}

expect_space() {
  free=$(df -Pk "$temporary" | { read -r _ && read -r _ _ _ free _ && printf '%s' "$free"; }) || free=""
  case "$free" in
    "" | *[!0-9]*) return ;; # a file system that does not tell
  esac
  [ "$free" -ge "$extracted_kib" ] ||
    refuse "There is too little space in \"$parent\": $((extracted_kib / 1024 + 1)) MiB are required, $((free / 1024)) MiB are free." \
      "Free some space, or choose another folder with --extract-to DIR."
}

unpack() {
  said=$(archive | gzip -dc | tar -xf - -C "$temporary" --no-same-owner 2>&1) ||
    refuse "The program could not be extracted in \"$parent\": ${said%%
*}" "Free some space, or choose another folder with --extract-to DIR."
}

expect_start() {
  said=$("$temporary/$name/runtime" --version 2>&1) ||
    refuse "The program does not start on this machine: ${said%%
*}" "Update the system, or use the container image."
}

# Written to the disk before it is renamed: a power failure leaves the whole folder or none.
install() {
  mkdir "$temporary/$name/cache"
  sync -f "$temporary/$name" 2> /dev/null || sync
  mv -T "$temporary/$name" "$parent/$name" 2> /dev/null || [ -x "$parent/$name/runtime" ] || # extracted by two at once
    refuse "The folder \"$parent/$name\" is in the way." "Remove it, then try again."
}

archive() {
  tail -c "+$((script_bytes + 1))" "$self"
}

# The shell must not read on: what follows is no script.
main "$@"; exit
