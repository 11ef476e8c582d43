import { createRequire } from 'node:module';
import { configDefaults, defineConfig } from 'vitest/config';
import { onNpmGone } from './dev/stop.ts';
import { CountReporter } from './tests/helpers/count-reporter.ts';

// Vitest itself would go on without anybody who reads its results.
onNpmGone(() => process.exit(1));

// Vite would load graphql's ES modules beside the CommonJS ones that Apollo's packages require, and GraphQL refuses to
// work with two copies of itself.
const resolve = {
  alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }],
};

// What takes long or other tools runs in `npm run test:all` only.
const long = '**/*.long.test.ts';
// What needs an engine of Docker's runs in `npm run test:containers` only.
const containers = '**/*.containers.test.ts';

// Each scenario starts a whole system of processes: one at a time keeps timings honest on two cores.
const scenarios = {
  globalSetup: ['tests/helpers/build.ts'],
  fileParallelism: false,
  testTimeout: 60_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    reporters: ['default', new CountReporter()],
    // Unless it is told, Vitest leaves a core idle, which of two is half.
    maxWorkers: '100%',
    // Apollo Gateway asks clouds where it runs, unless it is told not to.
    env: { APOLLO_TELEMETRY_DISABLED: 'true' },
    projects: [
      {
        resolve,
        test: {
          name: 'unit',
          include: ['{platform,gateway,discovery,subgraphs,prisma,broker,cli,dev}/**/*.test.ts'],
          exclude: [...configDefaults.exclude, long],
        },
      },
      {
        resolve,
        test: {
          name: 'e2e',
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, long, containers],
          ...scenarios,
        },
      },
      {
        resolve,
        test: {
          name: 'long',
          include: [long],
          ...scenarios,
        },
      },
      {
        resolve,
        test: {
          name: 'containers',
          include: [containers],
          ...scenarios,
        },
      },
    ],
  },
});
