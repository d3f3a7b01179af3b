#!/bin/sh
# Installs the Debian packages that the tests use and this machine lacks.
# Arguments are package:program. Where it may not install, it names what is
# missing: a failure when CI is set, else the tests that need it skip.
PATH="$PATH:/usr/sbin:/sbin" # which an ordinary user's lacks
missing=
for pair in "$@"; do
	command -v "${pair#*:}" >/dev/null 2>&1 || missing="$missing ${pair%%:*}"
done
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
	echo "installing:$missing"
	log=$(mktemp)
	if { apt-get update -q && DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1; then
		rm -f "$log"
		exit 0
	fi
	tail -n 20 "$log" >&2
	rm -f "$log"
fi
echo "missing for the whole-program tests:$missing (as root: apt-get install$missing)" >&2
[ -z "$CI" ]
