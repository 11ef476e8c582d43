import { createRequire } from 'node:module';
import { defineConfig } from 'vitest/config';

// Vite would load graphql's ES modules beside the CommonJS ones that Apollo's packages require, and GraphQL refuses to
// work with two copies of itself.
const resolve = {
  alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }],
};

export default defineConfig({
  test: {
    projects: [
      {
        resolve,
        test: {
          name: 'unit',
          include: ['{platform,gateway,discovery,subgraphs,prisma,dev}/**/*.test.ts'],
        },
      },
      {
        resolve,
        test: {
          name: 'e2e',
          include: ['tests/**/*.test.ts'],
          globalSetup: ['tests/helpers/build.ts'],
          // Each scenario starts a whole system of processes: one at a time keeps timings honest on two cores.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
