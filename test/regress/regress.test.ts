import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeWith, ISOLATION_TESTER, requireTool } from '../support/requirements.ts'
import type { ProgramEnd } from '../support/running-program.ts'
import { type BothWays, startBothWays } from './both-ways.ts'

const scripts = readdirSync(join(import.meta.dirname, 'sql'))
const specs = readdirSync(join(import.meta.dirname, 'isolation'))

/**
 * Lines that may differ, each with its reason. Everything else is compared byte by byte.
 */
const explained: readonly { readonly pattern: RegExp; readonly instead: string; readonly because: string }[] = [
  {
    pattern: /received from server process with PID \d+\./g,
    instead: 'received from server process with PID n.',
    because: 'every session has a process id of its own, directly as well',
  },
  {
    pattern: /on host "[^"]+" \(address "127\.0\.0\.1"\) at port "\d+"/g,
    instead: 'on host h at port p',
    because: 'the client goes to the gateway, and says where it went',
  },
  {
    pattern: /^lo_import \d+$/gm,
    instead: 'lo_import n',
    because: 'object ids go on counting from one run to the next',
  },
  {
    pattern: /(DETAIL: {2})?Process \d+ waits for ShareLock on transaction \d+; blocked by process \d+\./g,
    instead: 'Process n waits for ShareLock on transaction n; blocked by process n.',
    because: 'process and transaction ids again',
  },
]

function comparable(end: ProgramEnd): { code: number | null; lines: string[]; errors: string[] } {
  const lines = (text: string) =>
    explained.reduce((all, { pattern, instead }) => all.replaceAll(pattern, instead), text).split('\n')
  return { code: end.code, lines: lines(end.stdout), errors: lines(end.stderr) }
}

describeWith(['psql', 'openssl', 'isolationtester'], 'through the gateway, as directly:', () => {
  let ways: BothWays
  beforeAll(async () => {
    ways = await startBothWays()
  })
  afterAll(() => ways?.stop())

  test.each(scripts)('%s', async (script) => {
    const args = ['--no-psqlrc', '--echo-all', '--quiet', '--file', join(import.meta.dirname, 'sql', script)]
    const { direct, gateway } = await ways.run(requireTool('psql'), args)
    expect(direct.stdout.length).toBeGreaterThan(500)
    expect(comparable(gateway)).toEqual(comparable(direct))
  })

  test.each(specs)('%s', async (spec) => {
    const text = readFileSync(join(import.meta.dirname, 'isolation', spec), 'utf8')
    const { direct, gateway } = await ways.run(ISOLATION_TESTER, ['dbname=regress'], text)
    expect(direct).toMatchObject({ code: 0 })
    expect(direct.stdout).toContain('starting permutation')
    expect(comparable(gateway)).toEqual(comparable(direct))
  })
})
