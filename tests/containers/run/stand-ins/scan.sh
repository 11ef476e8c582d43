#!/bin/sh
# Lists what is in an image, as BuildKit asks for it:
# https://github.com/moby/buildkit/blob/master/docs/attestations/sbom-protocol.md
set -eu
# What is installed, as of an image, and not what a lock file names.
syft scan --quiet --override-default-catalogers image "dir:$BUILDKIT_SCAN_SOURCE" --output spdx-json=/tmp/spdx.json
{
  printf '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":'
  cat /tmp/spdx.json
  printf '}'
} >"$BUILDKIT_SCAN_DESTINATION/portico.spdx.json"
