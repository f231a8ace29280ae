# shellcheck shell=bash
# Which of docker, podman and buildah there is: sets "engine". Sourced by build.sh and check.sh.

usable() {
    command -v "$1" > /dev/null || return 1
    # A docker client without its daemon builds nothing.
    case "$1" in
        docker | podman) "$1" info > /dev/null 2>&1 ;;
    esac
}

engine="${ENGINE:-}"
if [ -z "$engine" ]; then
    for candidate in docker podman buildah; do
        if usable "$candidate"; then
            engine="$candidate"
            break
        fi
    done
elif ! usable "$engine"; then
    echo "$0: ENGINE is $engine, which is not installed or not running" >&2
    exit 2
fi
if [ -z "$engine" ]; then
    echo "$0: none of docker, podman and buildah can be used; install one (Debian: apt-get install buildah)" >&2
    exit 2
fi

# Without a daemon: no namespaces of its own, and storage that works on every file system.
buildah=(buildah --storage-driver "${STORAGE_DRIVER:-vfs}")
