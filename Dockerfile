# docker build -t galore . && docker run --rm -v "$PWD:/work" -w /work galore train configs/llama_60m.yaml ...
# This file was never built, for want of a container engine. The package that it installs was tested
# (docs/embedding.md).
FROM debian:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates make git file dpkg-dev
COPY . /galore
WORKDIR /galore
RUN make package

FROM debian:bookworm-slim
COPY --from=build /galore/build/release/galore_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/galore_*.deb && rm -rf /tmp/galore_*.deb /var/lib/apt/lists/*
ENTRYPOINT ["galore"]
