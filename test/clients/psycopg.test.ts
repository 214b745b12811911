import { join } from 'node:path'
import { beforeAll, describe, expect, inject, test } from 'vitest'
import { libpqEnvironment } from '../support/psql.ts'
import { describeWith, SYSTEM_PYTHON } from '../support/requirements.ts'
import { runProgram } from '../support/running-program.ts'
import { libpqVariants } from './libpq-variants.ts'

describeWith(['psycopg'], 'psycopg', () => {
  const gateway = inject('gateway')

  describe.each(libpqVariants)('with $title', ({ environment, version }) => {
    const said = new Map<string, string>()
    beforeAll(async () => {
      const env = { ...libpqEnvironment(gateway.libpq), ...environment, LANG: 'C.UTF-8' }
      const end = await runProgram(SYSTEM_PYTHON, [join(import.meta.dirname, 'psycopg-client.py')], { env })
      expect(end).toMatchObject({ code: 0, stderr: '' })
      for (const line of end.stdout.trim().split('\n')) {
        const at = line.indexOf('=')
        said.set(line.slice(0, at), line.slice(at + 1))
      }
    })

    test('logs in by SNI and by endpoint option', () => {
      expect(said.get('sni')).toBe(gateway.user)
      expect(said.get('options')).toBe(gateway.database)
      if (version !== undefined) expect(said.get('libpq')).toBe(version)
    })

    test.each([
      ['passes parameters', 'parameters', '(42, None)'],
      ['prepares statements', 'prepared', 'True'],
      ['reads an error with its SQLSTATE', 'error', '42P01'],
      ['reads a thousand notices', 'notices', "(1000, 'so be it 1000')"],
      ['cancels a query', 'cancel', '57014'],
      ['pipelines 500 queries', 'pipeline', 'True'],
      ['copies in and out', 'copy', '20000'],
      ['cancels a COPY', 'cancelCopy', '57014'],
      ['sends and reads a value of 10 MB', 'large', 'True'],
      ['is idle, then used again', 'idle', 'still here'],
      ['is notified', 'notify', 'payload'],
    ])('%s', (_title, name, result) => {
      expect(said.get(name)).toBe(result)
    })
  })
})
