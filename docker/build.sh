#!/usr/bin/env bash
# Builds the image with docker, podman or buildah, whichever is there, or the one that ENGINE names.
#
#   docker/build.sh                                    potstream:latest
#   docker/build.sh --target calibration               with Yosys and Verilator: potstream:calibration
#   docker/build.sh --build-arg BASE=localhost/base    on another base with Python 3.11
#
# IMAGE names the image otherwise. Further arguments go to the engine's build command.
set -euo pipefail
cd "$(dirname "$0")/.."

target=runtime
arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
        --target)
            target="${2:?--target needs the name of a stage}"
            shift
            ;;
        --help | -h)
            sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' docker/build.sh
            exit 0
            ;;
        *) arguments+=("$1") ;;
    esac
    shift
done
tag=latest
[ "$target" = runtime ] || tag="$target"
image="${IMAGE:-potstream:$tag}"

# shellcheck source=docker/engine.sh
. docker/engine.sh
case "$engine" in
    docker | podman) command=("$engine" build) ;;
    buildah) command=("${buildah[@]}" bud --isolation chroot --network host) ;;
esac
"${command[@]}" --target "$target" --tag "$image" --file docker/Dockerfile "${arguments[@]}" .
echo "$image, built by $engine"
