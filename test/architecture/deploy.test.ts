import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { YAML } from 'bun'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/config/parse-config.ts'
import { MasterKey } from '../../src/crypto/master-key.ts'
import { readRepositoryFile } from '../support/repository.ts'
import { describeWith, requireTool } from '../support/requirements.ts'

/** The files below deploy/: nothing here can start a container or a service, so what they say is held against what Postern reads. */
interface Service {
  readonly ports: readonly string[]
  readonly volumes: readonly string[]
  readonly environment: Readonly<Record<string, string | null>>
  readonly secrets: readonly string[]
  readonly stop_grace_period: string
  readonly build: { readonly context: string; readonly dockerfile: string }
}

const containerfile = readRepositoryFile('deploy/Containerfile')
const unit = readRepositoryFile('deploy/postern.service')
const compose = YAML.parse(readRepositoryFile('deploy/compose.yaml')) as {
  readonly services: { readonly postern: Service }
  readonly secrets: object
  readonly volumes: object
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'postern-deploy-'))
  writeFileSync(join(folder, 'master-key'), MasterKey.generate().export().reveal())
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The configuration that a process with these variables gets; a name that no option has is a mistake. */
function configOf(environment: Readonly<Record<string, string | null | undefined>>) {
  const given = Object.entries(environment).filter(([name]) => name.startsWith('POSTERN_'))
  return parseConfig({
    argv: [],
    environment: { ...Object.fromEntries(given), POSTERN_MASTER_KEY_FILE: join(folder, 'master-key') },
    cwd: folder,
  }).config
}

/** `ENV` of a Containerfile. */
function imageEnvironment(): Record<string, string> {
  const [, block = ''] = /^ENV ((?:.*\\\n)*.*)$/m.exec(containerfile) ?? []
  return Object.fromEntries(
    block
      .split(/\s*\\\n\s*/)
      .map((pair) => pair.split(/=(.*)/s) as [string, string])
      .map(([name, value]) => [name, value]),
  )
}

describe('the image', () => {
  it('does not start on all addresses before somebody says how the API is encrypted', () => {
    expect(imageEnvironment()).toMatchObject({ POSTERN_HTTP_HOST: '0.0.0.0', POSTERN_GATEWAY_HOST: '0.0.0.0' })
    expect(() => configOf(imageEnvironment())).toThrow(/httpTlsCert and httpTlsKey, or httpBehindTlsProxy/)
  })

  it('runs as an ordinary user with a name, on one volume and two ports', () => {
    const last = (instruction: string) => containerfile.match(new RegExp(`^${instruction} (.*)$`, 'gm'))?.at(-1)
    expect(last('USER')).toBe('USER postern')
    expect(containerfile).toMatch(/useradd .*--uid 10001 .*postern/)
    expect(containerfile.match(/^VOLUME .*/gm)).toEqual([`VOLUME ${imageEnvironment()['POSTERN_DATA_DIR']}`])
    expect(last('EXPOSE')).toBe('EXPOSE 8080 5432')
    expect(containerfile.match(/^FROM /gm)).toHaveLength(2)
  })
})

describe('the compose example', () => {
  const { postern } = compose.services

  it('is a configuration that Postern accepts, on top of that of the image', () => {
    const config = configOf({ ...imageEnvironment(), ...postern.environment })
    expect(config).toMatchObject({ httpBehindTlsProxy: true, httpHost: '0.0.0.0', gatewayHost: '0.0.0.0' })
    expect(Number.parseInt(postern.stop_grace_period, 10)).toBeGreaterThan(config.drainTimeoutSeconds)
  })

  it('publishes 8080 and 5432, the plain one to this machine alone, and keeps one volume', () => {
    expect(postern.ports).toEqual(['127.0.0.1:8080:8080', '5432:5432'])
    expect(postern.volumes).toEqual(['data:/var/lib/postern'])
    expect(Object.keys(compose.volumes)).toEqual(['data'])
    expect(Object.keys(compose.secrets)).toEqual(postern.secrets)
    expect(postern.build).toEqual({ context: '..', dockerfile: 'deploy/Containerfile' })
  })

  it('hands on what AWS and Google libraries look for, and holds no value of it', () => {
    const cloud = Object.entries(postern.environment).filter(([name]) => /^(AWS|GOOGLE)_/.test(name))
    expect(cloud.length).toBeGreaterThan(5)
    expect(cloud.filter(([, value]) => value !== null)).toEqual([])
  })
})

describe('the unit', () => {
  it('is a configuration that Postern accepts', () => {
    const pairs = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value])
    expect(configOf(Object.fromEntries(pairs))).toMatchObject({
      dataDir: '/var/lib/postern',
      socketDir: '/run/postern',
      readyFile: '/run/postern/ready.json',
    })
    expect(unit).toContain('POSTERN_MASTER_KEY_FILE=%d/master-key')
  })

  it('gives Postern longer to stop than it drains, and the first word to its supervisor', () => {
    expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThan(configOf({}).drainTimeoutSeconds)
    expect(unit).toContain('KillMode=mixed')
  })
})

describeWith(['systemd-analyze'], 'the unit, as systemd reads it', () => {
  const analyze = (...args: string[]) => spawnSync(requireTool('systemd-analyze'), args, { encoding: 'utf8' })

  it('has no mistake', () => {
    // The program is not installed here; everything else is as in the file.
    const path = join(folder, 'postern.service')
    writeFileSync(path, unit.replace('/opt/postern/postern', '/bin/true'))
    const { stdout, stderr, status } = analyze('verify', path)
    expect(`${stdout}${stderr}`.split('\n').filter((line) => line.includes('postern.service'))).toEqual([])
    expect(status).toBe(0)
  })

  it('exposes little: below 2.0 of 10', () => {
    const path = join(folder, 'postern.service')
    writeFileSync(path, unit)
    const [, level] =
      /exposure level for postern\.service: ([\d.]+)/.exec(analyze('security', '--offline=true', path).stdout) ?? []
    expect(Number(level)).toBeLessThan(2)
  })
})
