import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Two files at a time, also where there are only two cores: much of a test is waiting. Suites that measure, that load the
// machine or that count on a quiet one run one file after the other.
const filesAtOnce = Math.max(2, availableParallelism() - 1)

export default defineConfig({
  test: {
    maxWorkers: filesAtOnce,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts', 'packages/**/*.test.ts'],
          // Left to Bun, the named export `z` arrives undefined through vitest's own import.
          server: { deps: { inline: ['zod'] } },
          testTimeout: 15_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'architecture', include: ['test/architecture/**/*.test.ts'], testTimeout: 60_000 } },
      {
        test: {
          name: 'wire',
          include: ['test/{wire,fuzz}/**/*.test.ts'],
          server: { deps: { inline: ['zod'] } },
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          globalSetup: ['test/clients/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'regress',
          include: ['test/regress/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'engines',
          include: ['test/engines/**/*.test.ts'],
          server: { deps: { inline: ['zod'] } },
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'journeys',
          include: ['test/journeys/**/*.test.ts'],
          server: { deps: { inline: ['zod'] } },
          testTimeout: 60_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'acceptance',
          include: ['test/acceptance/**/*.test.ts'],
          server: { deps: { inline: ['zod'] } },
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
