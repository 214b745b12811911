import { describe, expect, test } from 'vitest'
import { parseOrigin, resolveEndpoint } from './endpoint.ts'

describe('--host', () => {
  test.each([
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://localhost:8080/', 'http://localhost:8080'],
    ['http://[::1]:8080', 'http://[::1]:8080'],
    ['http://postern.localhost', 'http://postern.localhost'],
    ['HTTPS://Postern.Example.Test', 'https://postern.example.test'],
    ['postern.example.test:8443', 'https://postern.example.test:8443'],
    ['localhost:8080', 'http://localhost:8080'],
  ])('%s is %s', (host, origin) => {
    expect(parseOrigin(host)).toBe(origin)
  })

  test.each([
    'http://postern.example.test',
    'http://10.0.0.1:8080',
    'http://127.0.0.1.example.test',
    'http://localhost.example.test',
    'http://[::2]:8080',
  ])('%s is refused: secrets would travel unencrypted', (host) => {
    expect(() => parseOrigin(host)).toThrow(/unencrypted/)
  })

  test('what looks like loopback and is another notation of it still counts', () => {
    expect(parseOrigin('http://0x7f.1:8080')).toBe('http://127.0.0.1:8080')
  })

  test.each(['', 'ftp://x.test', 'https://', 'https://x.test/path', 'https://x.test/?q', 'a b'])(
    '%j is refused',
    (host) => {
      expect(() => parseOrigin(host)).toThrow(/--host/)
    },
  )

  test('a user and password in it are refused without being shown', () => {
    expect(() => parseOrigin('https://ann:hunter2@x.test')).toThrow(/^--host must not hold a user or a password$/)
  })

  test('a CA file without a certificate is refused', async () => {
    await expect(resolveEndpoint('localhost', '/dev/null')).rejects.toThrow(/holds no PEM certificate/)
    await expect(resolveEndpoint('localhost', '/nowhere.pem')).rejects.toThrow(/cannot be read \(ENOENT\)/)
  })
})
