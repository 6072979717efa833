# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin causeway \
    && cp target/release/causeway /usr/local/bin/causeway

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --home-dir /causeway --create-home causeway
COPY --from=build /usr/local/bin/causeway /usr/local/bin/causeway
USER causeway
WORKDIR /causeway
ENTRYPOINT ["causeway"]
CMD ["run"]
