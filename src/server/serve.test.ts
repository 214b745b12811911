import { readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, test } from 'vitest'
import { type RunningPostern, startPostern, temporaryFolder } from '../../test/support/running-postern.ts'
import { runProgram } from '../../test/support/running-program.ts'
import { MasterKey } from '../crypto/master-key.ts'
import { currentUid } from '../postgres-server/os-user.ts'

const LIMIT_MS = 60_000
const folders: string[] = []
const running: RunningPostern[] = []

afterEach(async () => {
  for (const postern of running.splice(0)) await postern.stop()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
}, LIMIT_MS)

function newFolder(): string {
  const folder = temporaryFolder('postern-serve-')
  folders.push(folder)
  return folder
}

async function start(dataDir: string, flags: readonly string[] = []): Promise<RunningPostern> {
  const postern = await startPostern({ dataDir, flags })
  running.push(postern)
  return postern
}

/** Runs `postern serve` where it must refuse, and answers what it said. */
async function refusal(dataDir: string, ...flags: string[]): Promise<string> {
  const launcher = join(import.meta.dirname, '../../bin/postern')
  const ports = flags.includes('--http-port') ? [] : ['--http-port', '0']
  const end = await runProgram(launcher, ['serve', '--data-dir', dataDir, '--gateway-port', '0', ...ports, ...flags], {
    env: {},
  })
  expect(end.code).not.toBe(0)
  return end.stdout + end.stderr
}

async function answers(url: string): Promise<boolean> {
  return fetch(`${url}/healthz`).then(
    (response) => response.ok,
    () => false,
  )
}

describe('postern serve', () => {
  test(
    'starts from nothing, drains on SIGTERM with exit status 0, and starts again on the same data',
    async () => {
      const dataDir = newFolder()
      const first = await start(dataDir)
      expect(Object.keys(first.ready)).toEqual([
        'httpUrl',
        'gatewayHost',
        'gatewayPort',
        'caFile',
        'workspace',
        'adminEmail',
        'adminPasswordFile',
      ])
      expect(await answers(first.ready.httpUrl)).toBe(true)
      expect(statSync(first.ready.adminPasswordFile).mode & 0o777).toBe(0o600)
      expect(statSync(join(dataDir, 'master.key')).mode & 0o777).toBe(0o600)
      const password = readFileSync(first.ready.adminPasswordFile, 'utf8')
      const { ca } = first
      expect((await first.stop()).code).toBe(0)
      expect(await answers(first.ready.httpUrl)).toBe(false)

      const second = await start(dataDir)
      expect(readFileSync(second.ready.adminPasswordFile, 'utf8')).toBe(password)
      expect(second.ca).toBe(ca)
    },
    LIMIT_MS,
  )

  test(
    'a second start on the same data folder is refused and names the holder',
    async () => {
      const dataDir = newFolder()
      const holder = await start(dataDir)
      expect(await refusal(dataDir)).toContain(`in use by another Postern: process ${holder.pid}`)
      expect(await answers(holder.ready.httpUrl)).toBe(true)
    },
    LIMIT_MS,
  )

  test(
    'the ready file of an earlier start is gone when this one fails, and one that cannot be written is refused at once',
    async () => {
      const dataDir = newFolder()
      const folder = newFolder()
      const readyFile = join(folder, 'ready.json')
      writeFileSync(readyFile, '{"gatewayPort": 1}')
      writeFileSync(join(dataDir, 'master.key'), 'no key')
      writeFileSync(join(dataDir, 'node.json'), '{"nodeId": "6f1c2d5e-0000-4000-8000-000000000000"}')
      expect(await refusal(dataDir, '--ready-file', readyFile)).toContain('CONFIG_INVALID')
      expect(readdirSync(folder)).toEqual([])
      const said = await refusal(newFolder(), '--ready-file', join(folder, 'nowhere', 'ready.json'))
      expect(said).toContain(`${join(folder, 'nowhere', 'ready.json')} cannot be written (ENOENT)`)
    },
    LIMIT_MS,
  )

  test(
    'a port that is taken is refused by name, with how to choose another',
    async () => {
      const taken = await new Promise<Server>((resolve) => {
        const server = createServer().listen(0, '127.0.0.1', () => resolve(server))
      })
      const { port } = taken.address() as { port: number }
      const said = await refusal(newFolder(), '--http-port', String(port))
      taken.close()
      expect(said).toContain(`process ${process.pid}`)
      expect(said).toContain(`127.0.0.1:${port}`)
      expect(said).toContain('--http-port')
    },
    LIMIT_MS,
  )

  test(
    'a wrong master key, and a missing one, stop the start with a clear sentence',
    async () => {
      const dataDir = newFolder()
      await (await start(dataDir)).stop()
      const keyFile = join(dataDir, 'master.key')
      const right = readFileSync(keyFile, 'utf8')
      writeFileSync(keyFile, MasterKey.generate().export().reveal())
      expect(await refusal(dataDir)).toContain('not the one that this metadata store was sealed with')
      rmSync(keyFile)
      expect(await refusal(dataDir)).toContain('is missing')
      writeFileSync(keyFile, right)
      await start(dataDir)
    },
    LIMIT_MS,
  )

  test(
    'a folder with other files in it is refused',
    async () => {
      const dataDir = newFolder()
      writeFileSync(join(dataDir, 'thesis.txt'), '')
      expect(await refusal(dataDir)).toContain('is not empty and is not a data folder of Postern')
    },
    LIMIT_MS,
  )

  test(
    'after kill -9 the listeners close at once and the next start takes everything over',
    async () => {
      const dataDir = newFolder()
      const killed = await start(dataDir)
      killed.signal('SIGKILL')
      await killed.ended
      const deadline = Date.now() + 2_000
      while (await answers(killed.ready.httpUrl)) {
        if (Date.now() > deadline) throw new Error('an orphan still answers')
        await sleep(20)
      }
      const next = await start(dataDir)
      expect(await answers(next.ready.httpUrl)).toBe(true)
      // A process of the server that was forked this moment still has the title of the server.
      await expect.poll(() => postmasters(dataDir).length, { timeout: 5_000 }).toBe(1)
    },
    LIMIT_MS,
  )

  test(
    'a child that is killed is started again on the same port',
    async () => {
      const postern = await start(newFolder())
      const control = childOf(postern.pid, 'control')
      process.kill(control, 'SIGKILL')
      const deadline = Date.now() + 10_000
      while (!(await answers(postern.ready.httpUrl))) {
        if (Date.now() > deadline) throw new Error('the control plane did not come back')
        await sleep(50)
      }
      expect(childOf(postern.pid, 'control')).not.toBe(control)
    },
    LIMIT_MS,
  )

  test(
    'of the environment, only the variables of AWS and Google reach the processes that dial',
    async () => {
      const env = {
        AWS_REGION: 'eu-test-1',
        GOOGLE_CLOUD_PROJECT: 'test',
        PGHOST: 'elsewhere.test',
        OTHER: 'kept back',
      }
      const postern = await startPostern({ dataDir: newFolder(), env })
      running.push(postern)
      for (const role of ['control', 'gateway']) {
        const names = readFileSync(`/proc/${childOf(postern.pid, role)}/environ`, 'utf8').split('\0')
        expect(names).toEqual(expect.arrayContaining(['AWS_REGION=eu-test-1', 'GOOGLE_CLOUD_PROJECT=test']))
        expect(names.join()).not.toMatch(/PGHOST|OTHER|HOME/)
      }
    },
    LIMIT_MS,
  )

  test.runIf(currentUid() === 0)(
    'started as root, nothing but the supervisor stays root',
    async () => {
      const dataDir = newFolder()
      const { pid } = await start(dataDir)
      const users = ['control', 'gateway'].map((role) => uidsOf(childOf(pid, role)))
      users.push(...postmasters(dataDir).map(uidsOf))
      for (const uids of users) expect(uids).not.toContain('0')
      expect(new Set(users.map(String)).size).toBe(2)
    },
    LIMIT_MS,
  )

  test.runIf(currentUid() === 0)(
    'works below a folder that only root may enter',
    async () => {
      const closed = newFolder()
      // What `mktemp -d` makes, and every private home.
      await runProgram('chmod', ['700', closed], { env: {} })
      const postern = await start(join(closed, 'data'))
      expect(await answers(postern.ready.httpUrl)).toBe(true)
    },
    LIMIT_MS,
  )
})

/** Real, effective, saved and file-system user ids. */
function uidsOf(pid: number): string[] {
  return /^Uid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!.split('\t')
}

function processes(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function childOf(parent: number, role: string): number {
  const isIt = (pid: number): boolean => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
      return (
        new RegExp(`^PPid:\\s+${parent}$`, 'm').test(readFileSync(`/proc/${pid}/status`, 'utf8')) &&
        command.includes(role)
      )
    } catch {
      return false
    }
  }
  const found = processes().find(isIt)
  if (found === undefined) throw new Error(`no ${role} process`)
  return found
}

/** Servers (not their children) that work in the metadata cluster of the data folder. */
function postmasters(dataDir: string): number[] {
  const data = join(dataDir, 'metadata', 'data')
  return processes().filter((pid) => {
    try {
      const isServer = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('\0-D\0')
      return isServer && readlinkSync(`/proc/${pid}/cwd`) === data
    } catch {
      return false
    }
  })
}
