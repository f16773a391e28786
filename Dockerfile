# Zimagine in one image; what it does is chosen by its command: start (everything in one), bot or
# worker. It listens beyond the container, so WEB_TOKEN must be set. Run it with an init process
# (docker run --init), which compose does too.
FROM node:24.21.0-bookworm-slim

ENV NODE_ENV=production DATA_DIR=/data HOST=0.0.0.0 PORT=7860
WORKDIR /app

# .npmrc keeps scripts of packages from running.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force
COPY LICENSE ./
COPY locales locales
COPY models models
COPY prisma prisma
COPY commands commands
COPY src src

RUN install -d -o node -g node /data
USER node
VOLUME /data
EXPOSE 7860

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HEALTH_PORT || process.env.PORT}/healthz`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

CMD ["node", "src/main.ts", "start"]
