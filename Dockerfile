# Two stages: a static binary, then an image with nothing but it.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /out/peerlab ./cmd/server

FROM scratch
# The roots are for labs that ask public servers over TLS: another URL, another resolver.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/peerlab /peerlab
USER 65532:65532
EXPOSE 8080/tcp 3478/tcp 3478/udp 3479/udp 50000-50999/udp
HEALTHCHECK --interval=10s --timeout=3s --start-period=2s CMD ["/peerlab", "--check-health"]
ENTRYPOINT ["/peerlab"]
