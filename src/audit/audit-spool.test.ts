import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
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
    before.close()
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

  test('is readable by its owner alone', async () => {
    const inner = path.join(folder, 'worker')
    await new AuditSpool(inner, 1_000_000).append([record('a')])
    expect(fs.statSync(inner).mode & 0o077).toBe(0)
    expect(fs.statSync(path.join(inner, fs.readdirSync(inner)[0] as string)).mode & 0o077).toBe(0)
  })
})
