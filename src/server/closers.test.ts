import { expect, test } from 'vitest'
import { Closers } from './closers.ts'

test('ends what was started in the opposite order; one that fails or never ends keeps no other from ending', async () => {
  const ended: string[] = []
  const failed: string[] = []
  const closers = new Closers((name) => failed.push(name))
  closers.add('first', 1_000, () => void ended.push('first'))
  closers.add('hangs', 1, () => new Promise(() => undefined))
  closers.add('fails', 1_000, () => Promise.reject(new Error('no')))
  closers.add('last', 1_000, () => void ended.push('last'))
  await closers.closeAll()
  expect(ended).toEqual(['last', 'first'])
  expect(failed).toEqual(['fails', 'hangs'])
})
