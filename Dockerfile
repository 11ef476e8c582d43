# Two images: `front` has the gateway, the registry and the commands of operators, `shop` the services of the shop and
# what prepares their databases. The command says which process a container is.
#
#   docker build --target front --tag portico .
#   docker run portico dist/gateway/main.js
#
# BASE=distroless makes either of them without a shell. docker-bake.hcl builds all of them for several platforms;
# docs/operations.md says how they are used.
ARG NODE_IMAGE=node:24.21.0-trixie-slim
ARG DISTROLESS_IMAGE=gcr.io/distroless/nodejs24-debian13:nonroot
ARG BASE=slim

# JavaScript runs on every platform: these stages run on the one that builds, and what follows only copies.
#
# What the processes need at run time. Prisma's command line is an optional peer of its client: omitted with the rest.
FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS dependencies
WORKDIR /app
# Without .npmrc, which includes what development needs.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier
# Prisma's client brings a query compiler for each kind of database, in two sizes; the generated clients load this one.
RUN find node_modules/@prisma/client/runtime -name 'query_compiler_*' ! -name 'query_compiler_fast_bg.postgresql.*' -delete \
  && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -type f -delete

# npm's own record of what is installed has the time of each build.
FROM dependencies AS front-dependencies
RUN npm uninstall --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier \
    @prisma/adapter-pg @prisma/client @prisma/driver-adapter-utils @prisma/schema-engine-wasm \
  && rm node_modules/.package-lock.json

# Without the gateway's libraries, some of which are under another licence than the rest.
FROM dependencies AS shop-dependencies
RUN npm uninstall --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier \
    @apollo/gateway @apollo/composition @apollo/query-planner @graphql-inspector/core @fastify/static @fastify/cors \
  && rm node_modules/.package-lock.json

FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-update-notifier
COPY . .
# What only development needs, dev/ and broker/, is in neither image.
RUN npm run codegen && npm run build \
  && mkdir -p /front/dist /shop/dist/cli \
  && cp -r dist/platform dist/gateway dist/discovery dist/cli /front/dist/ \
  && cp -r dist/platform dist/subgraphs dist/prisma dist/services.js dist/services.js.map /shop/dist/ \
  && cp -r dist/cli/dlq /shop/dist/cli/ \
  && for image in /front /shop; do cp package.json LICENSE "$image/"; done \
  && mkdir /data

FROM ${NODE_IMAGE} AS slim
WORKDIR /app
# Where a process may keep something.
COPY --from=build --chown=1000:1000 /data /data
USER 1000:1000

FROM ${DISTROLESS_IMAGE} AS distroless
WORKDIR /app
ENV PATH=/nodejs/bin:$PATH
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532

FROM ${BASE} AS run
# What both images were made of; what they are stands with each. Labels are no part of the layers, which stay the same.
ARG VERSION=unknown REVISION=unknown CREATED=1970-01-01T00:00:00Z SOURCE=""
LABEL org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.created="${CREATED}"
ENV NODE_ENV=production HOST=0.0.0.0 MANAGEMENT_PORT=8081
# The processes handle SIGTERM and start no others, so that Node can be process 1: no shell, no init in the image.
ENTRYPOINT ["node", "--enable-source-maps"]
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.MANAGEMENT_PORT}/actuator/health/readiness`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]

FROM run AS shop
LABEL org.opencontainers.image.title="Portico's shop" \
  org.opencontainers.image.description="Four services of a small shop, and what prepares their databases" \
  org.opencontainers.image.licenses="MIT"
COPY --from=shop-dependencies /app/node_modules node_modules
COPY --from=build /shop ./
ENV PORT=4001
EXPOSE 4001 8081
CMD ["dist/subgraphs/products/main.js"]

FROM run AS front
LABEL org.opencontainers.image.title="Portico" \
  org.opencontainers.image.description="GraphQL federation gateway that builds its graph from the services that are running, and their registry" \
  org.opencontainers.image.licenses="MIT AND Elastic-2.0"
COPY --from=front-dependencies /app/node_modules node_modules
COPY --from=build /front ./
ENV GATEWAY_DATA_DIR=/data
EXPOSE 4000 8081 8761
CMD ["dist/gateway/main.js"]
