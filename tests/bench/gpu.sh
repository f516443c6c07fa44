#!/usr/bin/env bash
# Checks training on a GPU on a machine without a network, from files that are brought, in under 8 minutes.
#
#   tests/bench/gpu.sh pack FOLDER [WHEELS]   here, where the registries are: Node, the program, and the wheels (those of the folder WHEELS,
#                                             else fetched) in pieces of at most 60 MB, each with its checksum
#   FOLDER/gpu.sh                             there: joins the pieces, installs, checks, and leaves gpu.json in $OUT (default: FOLDER/out)
#
# DEVICE=cuda (default), cuda+graphs, webgpu or cpu-capi says what is checked; the last two need no wheels: `pack FOLDER none`.
# LIMIT is how many seconds all of it may take (default 460): what does not fit is left out, and said to be. Exit code 1 when a check fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
piece=$((60 * 1000 * 1000))

pack() {
  local to=$1 wheels=${2:-}
  mkdir -p "$to/pieces"
  to=$(cd "$to" && pwd)
  (cd "$here/../.." && npx tsx tests/bench/gpu/pack.ts "$to" && npx tsx tests/conformance/run.ts --specs "$to/specs.mjs" --only '^none$')
  cp "$here/gpu.sh" "$to/gpu.sh"
  cp "$here/engine.torch.py" "$here/gpu/torch.py" "$to/"
  cp "$(node -p process.execPath)" "$to/node"
  if [ "$wheels" != none ]; then
    "$to/node" "$to/check.mjs" gpu install --list | while read -r file _; do
      [ -n "$wheels" ] || (cd "$to/pieces" && npx --prefix "$here/../.." tsx "$here/gpu/fetch.ts" "$file")
      split -b "$piece" -d -a 2 "${wheels:-$to/pieces}/$file" "$to/pieces/$file."
      [ -n "$wheels" ] || rm "$to/pieces/$file"
    done
  fi
  split -b "$piece" -d -a 2 "$to/node" "$to/pieces/node."
  rm "$to/node"
  (cd "$to" && find . -type f ! -name SHA256 | sort | xargs sha256sum > SHA256)
  du -sh "$to"
}

run() {
  cd "$here"
  began=$(date +%s)
  export DEVICE=${DEVICE:-cuda} LIMIT=${LIMIT:-460} OUT=${OUT:-$here/out} THALWEG_QUIET=1
  export THALWEG_GPU=${THALWEG_GPU:-$here/gpu}
  mkdir -p "$OUT" joined
  sha256sum --quiet -c SHA256
  for first in pieces/*.00; do
    file=$(basename "${first%.00}")
    [ -e "joined/$file" ] || cat "pieces/$file".?? > "joined/$file"
  done
  chmod +x joined/node
  # The software driver of Debian's chromium-common, where there is no other.
  software=/usr/lib/chromium/vk_swiftshader_icd.json
  if [ "$DEVICE" = webgpu ] && [ ! -e /dev/dri ] && [ ! -e /dev/nvidia0 ] && [ -e $software ]; then
    export VK_ICD_FILENAMES=${VK_ICD_FILENAMES:-$software}
  fi
  case $DEVICE in cuda*) joined/node check.mjs gpu install --yes --from joined >&2 ;; esac
  export BEGAN=$began
  timeout $((LIMIT + 15)) joined/node check.mjs
}

if [ "${1:-}" = pack ]; then
  shift
  pack "$@"
else
  run
fi
