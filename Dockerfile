# One image for every process of the system; the command says which:
#
#   docker build --tag portico .
#   docker run portico dist/gateway/main.js
#
# `docker-compose.yml` runs all of them; docs/operations.md says how.
ARG NODE_IMAGE=node:20.20.2-bookworm-slim

# What the processes need at run time. Prisma's command line is an optional peer of its client: omitted with the rest.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
# Without .npmrc, which includes what development needs.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund --no-update-notifier
# Prisma's client brings a query compiler for each kind of database, in two sizes; the generated clients load this one.
RUN find node_modules/@prisma/client/runtime -name 'query_compiler_*' ! -name 'query_compiler_fast_bg.postgresql.*' -delete \
  && find node_modules \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -type f -delete

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-update-notifier
COPY . .
# What only development needs stays out of the image.
RUN npm run codegen && npm run build && rm -r dist/broker dist/dev

FROM ${NODE_IMAGE} AS run
# PORT is that of a subgraph. The gateway listens at 4000, discovery at 8761.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4001 MANAGEMENT_PORT=8081 GATEWAY_DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
# Where a process may keep something.
RUN install --directory --owner=node --group=node /data
USER node
EXPOSE 4000 4001 8081 8761
# The processes handle SIGTERM and start no others, so that Node can be process 1: no shell, no init in the image.
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/gateway/main.js"]
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "--eval", "fetch(`http://127.0.0.1:${process.env.MANAGEMENT_PORT}/actuator/health/readiness`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
