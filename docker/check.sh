#!/usr/bin/env bash
# Runs the image that docker/build.sh made and checks it: its user, what it may write, its packages, the build
# that its own command makes, the owner of the output, and that a build outside gives the same bytes.
#
#   docker/check.sh DATA              DATA: torchvision root of CIFAR-10
#   TEST_IMAGES=100 docker/check.sh DATA  how many test images are built (default: 20; "all" for the test split)
#   IMAGE, ENGINE                      as for docker/build.sh
#   CHECK_USER=UID:GID                 who runs it (default: the caller)
#   OUTSIDE="" docker/check.sh DATA    leaves the build outside out, which takes python flows/build.py
set -euo pipefail
cd "$(dirname "$0")/.."
case "${1:-}" in
    "" | --help | -h)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' docker/check.sh
        [ -n "${1:-}" ] && exit 0
        exit 2
        ;;
esac
# shellcheck source=docker/engine.sh
. docker/engine.sh

data="$(cd "$1" && pwd)"
image="${IMAGE:-potstream:latest}"
user="${CHECK_USER:-$(id -u):$(id -g)}"
images="${TEST_IMAGES:-20}"
chosen=(--sample 5)
[ "$images" = all ] || chosen+=(--images "$images")
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir "$work/inside"
chown "$user" "$work/inside"
chmod 755 "$work"

failures=0
check() { # check WHAT COMMAND...: the command must succeed
    local what="$1"
    shift
    if "$@"; then
        echo "ok      $what"
    else
        echo "FAILED  $what"
        failures=$((failures + 1))
    fi
}
inside() { in_image "$work/inside" "$data" "$@"; }

echo "image   $image by $engine, size $(image_size)"
mapfile -t command < <(image_command | sed '/^$/d')
echo "command ${command[*]}"

default_user() { # the image's own, without --user
    case "$engine" in
        docker | podman) "$engine" image inspect --format '{{.Config.User}}' "$image" ;;
        buildah) "${buildah[@]}" inspect --type image --format '{{.OCIv1.Config.User}}' "$image" ;;
    esac
}
check "its own user is not root" [ "$(default_user)" = potstream ]
check "as $user it runs as $user" [ "$(inside bash -c 'echo $(id -u):$(id -g)')" = "$user" ]
if [ "${user%%:*}" != 0 ]; then
    check "it cannot write outside its folders" inside bash -c '! touch /opt/potstream/x 2> /dev/null'
fi
check "no package misses another" inside python -m pip check
check "neither Yosys nor Verilator is in it" inside bash -c '! command -v yosys verilator'

started=$SECONDS
check "its command builds $images images" inside "${command[@]}" "${chosen[@]}"
echo "        in $((SECONDS - started)) seconds"
others="$(find "$work/inside" ! -uid "${user%%:*}" | head -3)"
check "all that it wrote is the caller's" [ -z "$others" ]
check "what it wrote has the hashes that it says" inside potstream verify out

if [ -n "${OUTSIDE-yes}" ]; then
    started=$SECONDS
    CIFAR10_ROOT="$data" check "a build outside" python flows/build.py "${chosen[@]}" --out "$work/outside"
    echo "        in $((SECONDS - started)) seconds"
    check "inside and outside are the same" python flows/verify.py "$work/inside/out" "$work/outside"
fi
[ "$failures" = 0 ] || { echo "check: $failures failed" >&2; exit 1; }
