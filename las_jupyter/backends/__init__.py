"""Running a launch spec somewhere: native, docker, podman, and the fake that keeps the same contract."""
