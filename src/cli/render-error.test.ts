import { describe, expect, test } from 'vitest'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import { CliError } from './cli-error.ts'
import { renderDebug, renderError } from './render-error.ts'

describe('a failure', () => {
  test('says what happened, what to do, and where to look it up', () => {
    const failure = new CliError('absent', 'no instance is called x', {
      hint: 'List what exists',
      code: 'INSTANCE_NOT_FOUND',
      requestId: 'r1',
    })
    expect(renderError(failure)).toEqual({
      text: 'postern: no instance is called x. List what exists. [INSTANCE_NOT_FOUND, request r1]',
      status: 4,
    })
  })

  test('of the server part gets the advice of the error table', () => {
    expect(renderError(new PosternError('PORT_IN_USE', 'port 8080 is taken by pid 7'))).toEqual({
      text: 'postern: port 8080 is taken by pid 7. Stop it, or choose another port. [PORT_IN_USE]',
      status: 8,
    })
  })

  test('whose text comes from elsewhere cannot steer the terminal or forge a line', () => {
    const { text } = renderError(new CliError('denied', 'no\u001b[2K\rpostern: all is well\nsecond'))
    expect(text).toBe('postern: no\\u001b[2K\\u000dpostern: all is well second.')
  })

  test('that nobody foresaw is one line with status 1', () => {
    expect(renderError(new TypeError('x is undefined'))).toEqual({
      text: 'postern: unexpected failure: x is undefined. Report it with the output of POSTERN_DEBUG=1.',
      status: 1,
    })
  })

  test('shows its cause and stack for POSTERN_DEBUG, and no secret', () => {
    const cause = new Error(`inner ${String(new Secret('hunter2'))}`)
    const text = renderDebug(new CliError('internal', 'outer', { cause }))
    expect(text).toMatch(/outer[\s\S]*caused by [\s\S]*inner \[secret\]/)
    expect(text).not.toContain('hunter2')
  })
})
