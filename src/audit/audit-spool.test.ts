import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { auditRecord } from './audit-record.ts'
import { AuditSpool } from './audit-spool.ts'

let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postern-spool-'))
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

const record = (action: string) => auditRecord({ action, outcome: 'allowed', workspaceId: null })

async function drain(spool: AuditSpool, max = 2): Promise<string[]> {
  const actions: string[] = []
  for await (const batch of spool.batches(max)) actions.push(...batch.map((one) => one.action))
  return actions
}

describe('the audit spool', () => {
  test('gives records back in the order in which they came, and is then empty', async () => {
    const spool = new AuditSpool(folder, 1_000_000)
    expect(spool.isEmpty).toBe(true)
    await spool.append([record('a'), record('b')])
    await spool.append([record('c')])
    expect(spool.isEmpty).toBe(false)
    expect(await drain(spool)).toEqual(['a', 'b', 'c'])
    expect(spool.isEmpty).toBe(true)
    expect(fs.readdirSync(folder)).toEqual([])
  })

  test('keeps what a batch failed to send, and sends it first the next time', async () => {
    const spool = new AuditSpool(folder, 1_000_000)
    await spool.append([record('a'), record('b'), record('c')])
    for await (const _ of spool.batches(2)) break
    await spool.append([record('d')])
    expect(await drain(spool)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('is picked up after a restart; a line torn by a crash was never acknowledged and is skipped', async () => {
    const before = new AuditSpool(folder, 1_000_000)
    await before.append([record('a')])
    await before.close()
    const [segment] = fs.readdirSync(folder)
    fs.appendFileSync(path.join(folder, segment as string), '{"id":"torn","act')
    const after = new AuditSpool(folder, 1_000_000)
    expect(after.isEmpty).toBe(false)
    expect(await drain(after)).toEqual(['a'])
  })

  test('that is full refuses and keeps what it has', async () => {
    const spool = new AuditSpool(folder, 400)
    await spool.append([record('a')])
    await expect(spool.append([record('b')])).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
    expect(await drain(spool)).toEqual(['a'])
  })

  test('of a disk that takes a part of a record keeps neither the part nor the record, and goes on', async () => {
    const spool = new AuditSpool(folder, 1_000_000)
    await spool.append([record('a')])
    const writeSync = fs.writeSync
    const disk = vi.spyOn(fs, 'writeSync')
    disk.mockImplementationOnce((file, bytes) => writeSync(file, Buffer.from(bytes).subarray(0, 20)))
    disk.mockImplementationOnce(() => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    })
    await expect(spool.append([record('b')])).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' })
    disk.mockRestore()
    await spool.append([record('c')])
    expect(await drain(spool)).toEqual(['a', 'c'])
    expect(fs.readdirSync(folder)).toEqual([])
  })

  test('is empty after a record that was appended while the spool was being shipped is shipped, too', async () => {
    const spool = new AuditSpool(folder, 1_000_000)
    await spool.append([record('a')])
    const [appended, shipped] = await Promise.all([spool.append([record('b')]), drain(spool)])
    expect(appended).toBeUndefined()
    expect([...shipped, ...(await drain(spool))]).toEqual(['a', 'b'])
    expect(spool.isEmpty).toBe(true)
  })

  test('leaves what a living process spools in the same folder alone, and takes it over when that has ended', async () => {
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 30_000)'])
    const line = `${JSON.stringify(record('theirs'))}\n`
    fs.writeFileSync(path.join(folder, `000000000000001-${other.pid}-0badcafe-000000000000001.ndjson`), line)
    const spool = new AuditSpool(folder, 1_000_000)
    expect(spool.isEmpty).toBe(true)
    await spool.append([record('ours')])
    expect(await drain(spool)).toEqual(['ours'])
    other.kill('SIGKILL')
    await once(other, 'exit')
    spool.lookForOrphans()
    expect(await drain(spool)).toEqual(['theirs'])
  })

  test('is readable by its owner alone', async () => {
    const inner = path.join(folder, 'worker')
    await new AuditSpool(inner, 1_000_000).append([record('a')])
    expect(fs.statSync(inner).mode & 0o077).toBe(0)
    expect(fs.statSync(path.join(inner, fs.readdirSync(inner)[0] as string)).mode & 0o077).toBe(0)
  })
})
