import { Writable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { createLogger, type Logger } from './logger.ts'

const secret = new Secret('hunter2')

interface LogLine {
  readonly err: {
    readonly cause: { readonly message: string }
    readonly errors: readonly { readonly message: string }[]
  }
}

function logged(write: (logger: Logger) => void, level: 'trace' | 'info' = 'trace') {
  let text = ''
  const destination = new Writable({
    write(chunk, _, done) {
      text += String(chunk)
      done()
    },
  })
  write(createLogger({ level, role: 'control', destination }))
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as LogLine)
  return { text, lines, line: lines[0]! }
}

/** What a database driver throws: everything it knows hangs on the error. */
function driverError(): Error {
  return Object.assign(new Error('password authentication failed'), {
    code: '28P01',
    query: "alter role a password 'hunter2'",
    client: { connectionString: 'postgres://a:hunter2@db.test/x', password: secret },
  })
}

describe('a log line', () => {
  test('says when, how severe, who wrote it and what happened', () => {
    const { line } = logged((logger) => logger.info({ instanceId: 'i1' }, 'instance created'))
    expect(line).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      role: 'control',
      pid: process.pid,
      instanceId: 'i1',
      msg: 'instance created',
    })
  })

  test('carries the ids of its request or session', () => {
    const { lines } = logged((logger) => {
      logger.child({ requestId: 'r1' }).info('one')
      logger.child({ sessionId: 's1' }).child({ instanceId: 'i1' }).warn('two')
    })
    expect(lines).toMatchObject([
      { requestId: 'r1', msg: 'one' },
      { sessionId: 's1', instanceId: 'i1', role: 'control', msg: 'two' },
    ])
  })

  test('is not written below the level', () => {
    expect(logged((logger) => logger.debug('quiet'), 'info').text).toBe('')
  })

  test('shows an error with its code, detail and whole chain of causes with their stacks', () => {
    const error = new PosternError('UPSTREAM_FAILED', 'The database reported an error', {
      detail: { sqlstate: '28P01' },
      cause: new Error('while logging in', { cause: driverError() }),
    })
    for (const write of [
      (logger: Logger) => logger.error({ err: error }, 'failed'),
      (logger: Logger) => logger.error(error, 'failed'),
    ]) {
      expect(logged(write).line.err).toMatchObject({
        name: 'PosternError',
        code: 'UPSTREAM_FAILED',
        message: 'The database reported an error',
        detail: { sqlstate: '28P01' },
        stack: expect.stringContaining('logger.test.ts'),
        cause: {
          message: 'while logging in',
          cause: { code: '28P01', message: 'password authentication failed', stack: expect.any(String) },
        },
      })
    }
  })

  test('survives a chain of causes that bites its tail, and an error that is none', () => {
    const one = new Error('one')
    const two = new Error('two', { cause: one })
    one.cause = two
    const { lines } = logged((logger) => {
      logger.error({ err: two }, 'loop')
      logger.error({ err: new Error('outer', { cause: secret }) }, 'cause is no error')
      logger.error({ err: new AggregateError([driverError(), two], 'many') }, 'many')
    })
    expect(lines).toHaveLength(3)
    expect(lines[1]!.err.cause.message).toBe('object was thrown')
    expect(lines[2]!.err.errors[0]!.message).toBe('password authentication failed')
  })
})

describe('a secret', () => {
  test.each<[string, (logger: Logger) => void]>([
    ['a field', (logger) => logger.info({ secret }, 'x')],
    ['a nested field', (logger) => logger.info({ a: { b: [{ secret }] } }, 'x')],
    ['a child binding', (logger) => logger.child({ secret, deep: { secret } }).info('x')],
    ['a message', (logger) => logger.info(`x ${String(secret)}`)],
    ['an interpolated message', (logger) => logger.info('x %s %j %o', secret, { secret }, secret)],
    [
      'the detail of an error',
      (logger) => logger.error({ err: new PosternError('INTERNAL', 'x', { detail: { secret } }) }, 'x'),
    ],
    [
      'the cause of an error',
      (logger) => logger.error({ err: new PosternError('INTERNAL', 'x', { cause: { secret } }) }, 'x'),
    ],
    [
      'the property of an error',
      (logger) => logger.error({ err: Object.assign(new Error('x'), { secret, text: 'hunter2' }) }, 'x'),
    ],
    [
      'what a driver hangs on its error',
      (logger) => logger.error({ err: new PosternError('INTERNAL', 'x', { cause: driverError() }) }, 'x'),
    ],
    ['an error in a field of another name', (logger) => logger.error({ failure: driverError() }, 'x')],
    ['an error itself', (logger) => logger.error(driverError())],
    ['an error below a field', (logger) => logger.error({ task: { failure: driverError() } }, 'x')],
    ['an error on a child', (logger) => logger.child({ err: driverError() }).error('x')],
    ['an aggregate', (logger) => logger.error({ err: new AggregateError([driverError()], 'x') }, 'x')],
  ])('never reaches the log in %s', (_, write) => {
    const { text, lines } = logged(write)
    expect(lines).toHaveLength(1)
    expect(text).not.toContain('hunter2')
  })
})
