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

# in_image FOLDER DATA COMMAND...: in the image, as the user "user", with FOLDER as /work and DATA as /data.
in_image() {
    local folder="$1" data="$2"
    shift 2
    case "$engine" in
        docker | podman)
            "$engine" run --rm --network none --user "$user" --volume "$folder:/work" --volume "$data:/data:ro" \
                "$image" "$@"
            ;;
        buildah)
            local container status=0
            container="$("${buildah[@]}" from --pull-never "$image")"
            "${buildah[@]}" run --isolation chroot --user "$user" --volume "$folder:/work" --volume "$data:/data:ro" \
                "$container" -- "$@" || status=$?
            "${buildah[@]}" rm "$container" > /dev/null
            return "$status"
            ;;
    esac
}

# The size of the image: bytes, or as buildah writes it.
image_size() {
    case "$engine" in
        docker | podman) "$engine" image inspect --format '{{.Size}}' "$image" ;;
        buildah) "${buildah[@]}" images --json "$image" | sed -n 's/.*"size": "\(.*\)".*/\1/p' | head -1 ;;
    esac
}

# The image's own command, a word a line.
image_command() {
    case "$engine" in
        docker | podman) "$engine" image inspect --format '{{range .Config.Cmd}}{{println .}}{{end}}' "$image" ;;
        buildah) "${buildah[@]}" inspect --type image --format '{{range .OCIv1.Config.Cmd}}{{println .}}{{end}}' "$image" ;;
    esac
}
