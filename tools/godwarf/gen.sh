#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generate the layout tables of Go releases, both architectures:
#	tools/godwarf/gen.sh [-o DIR] go1.28.0 ...
# writes src/goruntime/versions/go1_28_{amd64,arm64}.inc, or DIR/… with -o. Fetches the toolchains.
set -eu
cd "$(dirname "$0")"
here=$PWD
out=$here/../../src/goruntime/versions
if [ "${1-}" = -o ]; then
	out=$2
	shift 2
fi
[ $# -gt 0 ] || { sed -n 's/^#\t//p' "$0" >&2; exit 2; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export CGO_ENABLED=0 GOOS=linux GOFLAGS=-buildvcs=false GOWORK=off GOEXPERIMENT=
GOARCH= go build -o "$tmp/godwarf" .
mkdir "$tmp/layouts"
for release; do
	for arch in amd64 arm64; do
		(cd target && GOTOOLCHAIN=$release GOARCH=$arch go build -o "$tmp/target" .)
		"$tmp/godwarf" ../../src/goruntime/layout_fields.def "$tmp/target" \
			>"$tmp/layouts/$release-$arch.json"
	done
done
../gen-layouts -o "$out" "$tmp/layouts"
