# The broker as an image that holds the program, the libraries it links and nothing else: no shell, no package manager.
# It runs as user 65532, works with a read-only root file system, and keeps everything in /data.
#
#   docker build -t claudemesh .
#   docker run --read-only --cap-drop ALL -v claudemesh:/data -v "$PWD/key:/run/secrets/encryption_key:ro" \
#     -e BROKER_ENCRYPTION_KEY_FILE=/run/secrets/encryption_key -p 127.0.0.1:8787:8787 claudemesh

FROM denoland/deno:debian-2.9.6 AS build
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN deno run -A scripts/compile.ts && deno run -A scripts/image_root.ts dist/claudemesh /image

FROM scratch
COPY --from=build /image/root /
COPY --from=build --chown=65532:65532 /image/data /data
ENV HOST=0.0.0.0 \
  PORT=8787 \
  CLAUDEMESH_DATA_DIR=/data \
  HOME=/data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8787
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["/claudemesh", "health"]
ENTRYPOINT ["/claudemesh"]
CMD ["serve"]
