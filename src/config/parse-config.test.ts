import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'
import { environmentName, flagName, optionKeys } from './options.ts'
import { optionsHelp } from './options-help.ts'
import { type Config, type ConfigInput, parseConfig } from './parse-config.ts'
import { configLines, printConfig } from './print-config.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-config-'))
afterAll(() => rmSync(folder, { recursive: true }))

const masterKey = Buffer.alloc(32, 7).toString('base64')

function parse(input: Partial<ConfigInput> = {}) {
  return parseConfig({ argv: [], environment: {}, cwd: folder, ...input })
}

function mistakesOf(input: Partial<ConfigInput>): string {
  try {
    parse(input)
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'CONFIG_INVALID') return thrown.message
    throw thrown
  }
  throw new Error('the configuration was accepted')
}

function file(name: string, content: unknown): string {
  const path = join(folder, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

describe('parseConfig', () => {
  test('yields the documented defaults when nothing is given', () => {
    const { config, sources } = parse()
    expect(config).toMatchObject({
      dataDir: join(folder, 'postern-data'),
      readyFile: undefined,
      httpHost: '127.0.0.1',
      httpPort: 8080,
      httpBehindTlsProxy: false,
      trustedProxies: [],
      gatewayPort: 5432,
      gatewayDomain: 'postern.localhost',
      auditSpoolMaxBytes: 67_108_864,
      storeUrl: undefined,
    })
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']))
  })

  test('has the type of each option in the type of the result', () => {
    expectTypeOf<Config['httpPort']>().toEqualTypeOf<number>()
    expectTypeOf<Config['httpBehindTlsProxy']>().toEqualTypeOf<boolean>()
    expectTypeOf<Config['publicUrl']>().toEqualTypeOf<string | undefined>()
    expectTypeOf<Config['storeUrl']>().toEqualTypeOf<Secret | undefined>()
    expectTypeOf<Config['deniedAddresses']>().toEqualTypeOf<readonly string[]>()
  })

  test('prefers a flag to the environment, the environment to the file, the file to the default', () => {
    const config = file('order.json', { httpPort: 1, gatewayPort: 2, gatewayWorkers: 3 })
    const { config: parsed, sources } = parse({
      argv: ['--config', config, '--http-port', '11'],
      environment: { POSTERN_HTTP_PORT: '21', POSTERN_GATEWAY_PORT: '22' },
    })
    expect([parsed.httpPort, parsed.gatewayPort, parsed.gatewayWorkers]).toEqual([11, 22, 3])
    expect(sources).toMatchObject({
      httpPort: '--http-port',
      gatewayPort: 'POSTERN_GATEWAY_PORT',
      gatewayWorkers: `gatewayWorkers in ${config}`,
      logLevel: 'default',
    })
  })

  test('reads every form of a flag', () => {
    const { config } = parse({
      argv: [
        '--http-port=0',
        '--gateway-tls-names',
        'a.test,b.test',
        '--gateway-tls-names=10.0.0.1',
        '--http-behind-tls-proxy',
        '--public-url=https://postern.test/',
      ],
    })
    expect(config).toMatchObject({
      httpPort: 0,
      gatewayTlsNames: ['a.test', 'b.test', '10.0.0.1'],
      httpBehindTlsProxy: true,
      publicUrl: 'https://postern.test',
    })
    expect(parse({ argv: ['--no-http-behind-tls-proxy'] }).config.httpBehindTlsProxy).toBe(false)
    expect(parse({ argv: ['--http-behind-tls-proxy=false'] }).config.httpBehindTlsProxy).toBe(false)
  })

  test('cannot be changed afterwards', () => {
    const { config } = parse({ argv: ['--trusted-proxies=10.0.0.0/8'] })
    expect(() => Object.assign(config, { httpPort: 1 })).toThrow(TypeError)
    expect(() => (config.trustedProxies as string[]).push('0.0.0.0/0')).toThrow(TypeError)
  })

  test('starts a relative path from the working folder, and in a file from the folder of the file', () => {
    expect(parse({ argv: ['--ready-file', 'ready.json'] }).config.readyFile).toBe(join(folder, 'ready.json'))
    const config = file('paths.json', { readyFile: 'r.json' })
    expect(parse({ argv: ['--config', config], cwd: '/' }).config.readyFile).toBe(join(folder, 'r.json'))
    expect(parse({ environment: { POSTERN_CONFIG: 'paths.json' } }).config.readyFile).toBe(join(folder, 'r.json'))
  })

  test('reports all mistakes together, whatever they come from', () => {
    const text = mistakesOf({
      argv: [
        '--http-port',
        '70000',
        '--gateway-prot=1',
        'extra',
        '--log-level',
        'loud',
        '--config',
        file('bad.json', { httpsPort: 1, gatewayWorkers: [1] }),
      ],
      environment: { POSTERN_GATEWAY_WORKERS: 'many', POSTERN_DENIED_ADDRESSES: '10.0.0.0/33', POSTERN_HTTP_HOTS: 'x' },
    })
    expect(text).toMatch(/^The configuration has 9 mistakes:/)
    expect(text).toContain('--http-port: must be a whole number from 0 to 65535')
    expect(text).toContain('--gateway-prot: unknown option; did you mean --gateway-port?')
    expect(text).toContain('"extra": is not an option')
    expect(text).toContain('--log-level: must be one of fatal, error, warn, info, debug, trace')
    expect(text).toContain('POSTERN_GATEWAY_WORKERS: must be a whole number from 1 to 64')
    expect(text).toContain('POSTERN_DENIED_ADDRESSES: "10.0.0.0/33" must be an IP address or a CIDR range')
    expect(text).toContain('POSTERN_HTTP_HOTS: unknown environment variable; did you mean POSTERN_HTTP_HOST?')
    expect(text).toMatch(/httpsPort in .*bad\.json: unknown key; did you mean httpPort\?/)
    expect(text).toMatch(/gatewayWorkers in .*bad\.json: must be integer/)
  })

  test('leaves alone the variables that an orchestrator sets for a service of our name', () => {
    parse({
      environment: {
        POSTERN_PORT: 'tcp://10.0.0.1:80',
        POSTERN_SERVICE_HOST: '10.0.0.1',
        POSTERN_SERVICE_PORT: '80',
        POSTERN_HTTP_HOST: '',
      },
    })
  })

  test.each([
    [['--http-port'], '--http-port: needs a value'],
    [['--http-port', '--log-level=info'], '--http-port: needs a value'],
    [['--http-port='], '--http-port: needs a value'],
    [['--http-port=1', '--http-port=2'], '--http-port: given twice'],
    [['--http-port=0x50'], '--http-port: must be a whole number'],
    [['--http-port=1e3'], '--http-port: must be a whole number'],
    [['--no-http-behind-tls-proxy=false'], '--no-http-behind-tls-proxy: takes no value'],
    [['--http-behind-tls-proxy=yes'], '--http-behind-tls-proxy: must be true or false'],
    [['--gateway-domain', '10.0.0.1'], '--gateway-domain: must be a DNS name'],
    [['--gateway-domain', 'a..b'], '--gateway-domain: must be a DNS name'],
    [['--public-url', 'https://postern.test/path'], 'without a path'],
    [['--public-url', 'https://user:pw@postern.test'], 'without a path'],
    [['--config', 'missing.json'], 'cannot be read (ENOENT)'],
    [['--config', 'a', '--config', 'b'], '--config: given twice'],
  ])('refuses %j', (argv, expected) => {
    expect(mistakesOf({ argv })).toContain(expected)
  })

  test.each([
    [['--http-host=0.0.0.0'], 'plain HTTP is served on loopback only'],
    [['--http-host=192.0.2.1'], 'plain HTTP is served on loopback only'],
    [['--http-host=::'], 'plain HTTP is served on loopback only'],
    [['--http-host=postern.test'], 'plain HTTP is served on loopback only'],
    [['--http-host=0.0.0.0', '--http-tls-cert=c', '--http-tls-key=k'], 'give publicUrl as well'],
    [['--http-tls-cert=c'], 'httpTlsCert and httpTlsKey: give both or neither'],
    [['--gateway-tls-key=k'], 'gatewayTlsCert and gatewayTlsKey: give both or neither'],
    [['--http-behind-tls-proxy'], 'needs publicUrl'],
    [
      ['--http-tls-cert=c', '--http-tls-key=k', '--http-behind-tls-proxy', '--public-url=https://a.test'],
      'give one of them',
    ],
    [['--public-url=http://postern.test'], 'must begin with https://'],
    [['--http-port=5432'], 'both are 5432'],
    [['--login-timeout-seconds=1', '--login-denial-floor-ms=900'], 'must be longer than'],
  ])('refuses the combination %j', (argv, expected) => {
    expect(mistakesOf({ argv })).toContain(expected)
  })

  test.each([
    [['--http-host=127.1.2.3']],
    [['--http-host=::1', '--public-url=http://[::1]:8080']],
    [['--http-host=192.0.2.1', '--http-tls-cert=c', '--http-tls-key=k']],
    [['--http-host=0.0.0.0', '--http-behind-tls-proxy', '--public-url=https://postern.test']],
    [['--http-port=0', '--gateway-port=0']],
  ])('accepts the combination %j', (argv) => {
    parse({ argv })
  })
})

describe('secrets in the configuration', () => {
  test('come from the environment, from a file, and from a key in the configuration file', () => {
    const key = file('key', `${masterKey}\n`)
    const reveal = (input: Partial<ConfigInput>) => parse(input).config.masterKey?.reveal()
    expect(reveal({ environment: { POSTERN_MASTER_KEY: masterKey } })).toBe(masterKey)
    expect(reveal({ environment: { POSTERN_MASTER_KEY_FILE: key } })).toBe(masterKey)
    expect(reveal({ argv: ['--master-key-file', key] })).toBe(masterKey)
    expect(reveal({ argv: ['--config', file('secret.json', { masterKeyFile: 'key' })] })).toBe(masterKey)
    expect(reveal({ argv: ['--config', file('inline.json', { masterKey })] })).toBe(masterKey)
  })

  test('are refused as a plain flag, which the list of processes would show', () => {
    const text = mistakesOf({ argv: ['--store-url', 'postgres://u:hunter2@db.test/x'] })
    expect(text).toContain(
      '--store-url: a secret on the command line shows in the list of processes; give --store-url-file',
    )
    expect(text).not.toContain('hunter2')
    expect(mistakesOf({ argv: ['--store-url=postgres://u:hunter2@db.test/x'] })).not.toContain('hunter2')
  })

  test('are never quoted when they are wrong', () => {
    const environment = { POSTERN_STORE_URL: 'mysql://u:hunter2@db.test/x', POSTERN_MASTER_KEY: 'hunter2' }
    const text = mistakesOf({ environment, argv: ['--config', file('broken.json', '{"masterKey": "hunter2", }')] })
    expect(text).toContain('POSTERN_STORE_URL: must be a URL of the form postgres://')
    expect(text).toContain('POSTERN_MASTER_KEY: must be the base64 form of exactly 32 bytes')
    expect(text).toContain('is not valid JSON')
    expect(text).not.toContain('hunter2')
  })

  test('are refused when given in two forms', () => {
    const both = { POSTERN_MASTER_KEY: masterKey, POSTERN_MASTER_KEY_FILE: 'key' }
    expect(mistakesOf({ environment: both })).toContain(
      'POSTERN_MASTER_KEY: given together with POSTERN_MASTER_KEY_FILE',
    )
    const config = file('both.json', { masterKey, masterKeyFile: 'key' })
    expect(mistakesOf({ argv: ['--config', config] })).toContain('give one of them')
  })

  test('an external store needs the master key to be given', () => {
    const environment = { POSTERN_STORE_URL: 'postgres://u@db.test/x' }
    expect(mistakesOf({ environment })).toContain('storeUrl: needs masterKey')
    parse({ environment: { ...environment, POSTERN_MASTER_KEY: masterKey } })
  })

  test('are hidden by printing, in every form', () => {
    const parsed = parse({
      argv: ['--http-port=0'],
      environment: { POSTERN_MASTER_KEY: masterKey, POSTERN_STORE_URL: 'postgres://u:hunter2@db.test/x' },
    })
    const printed =
      printConfig(parsed) + JSON.stringify(configLines(parsed)) + inspect(parsed, { depth: 9 }) + JSON.stringify(parsed)
    expect(printed).not.toContain('hunter2')
    expect(printed).not.toContain(masterKey)
    expect(printConfig(parsed)).toMatch(/^masterKey +"\[secret\]" {2}# POSTERN_MASTER_KEY$/m)
    expect(printConfig(parsed)).toMatch(/^httpPort +0 {2}# --http-port$/m)
    expect(printConfig(parsed)).toMatch(/^readyFile +- {2}# default$/m)
    expect(printConfig(parsed).trimEnd().split('\n')).toHaveLength(optionKeys.length)
  })
})

describe('the option table', () => {
  test('gives every option a flag and a variable of its own', () => {
    expect(new Set(optionKeys.map(flagName)).size).toBe(optionKeys.length)
    expect(new Set(optionKeys.map(environmentName)).size).toBe(optionKeys.length)
    expect(flagName('httpTlsCert')).toBe('--http-tls-cert')
    expect(environmentName('auditSpoolMaxBytes')).toBe('POSTERN_AUDIT_SPOOL_MAX_BYTES')
  })

  test('is the help: every option stands in it once, secrets by their file form', () => {
    const help = optionsHelp()
    for (const key of optionKeys) expect(help).toContain(flagName(key))
    expect(help).toContain('--store-url-file <path>')
    expect(help).not.toMatch(/--store-url /)
  })
})
