import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { leftoverProcesses } from './leftover-processes.ts'
import { runCommand } from './run-command.ts'

const folder = mkdtempSync(join(tmpdir(), 'run-command-'))
const mark = `POSTERN_TEST_MARK=${folder}`
const env = { ...process.env, POSTERN_TEST_MARK: folder }

afterAll(() => {
  for (const { pid } of leftoverProcesses(mark, folder)) process.kill(pid, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

describe('runCommand', () => {
  it('gives the exit code and all that was printed', async () => {
    const result = await runCommand('sh', ['-c', 'echo out; echo err >&2; exit 3'], { timeoutMs: 5000 })
    expect(result).toMatchObject({ code: 3, timedOut: false })
    expect(result.output).toContain('out')
    expect(result.output).toContain('err')
  })

  it('ends a program that takes too long, and what it started', async () => {
    const result = await runCommand('sh', ['-c', 'sleep 300 & sleep 300'], { timeoutMs: 300, env })
    expect(result.timedOut).toBe(true)
    expect(result.elapsedMs).toBeLessThan(5000)
    expect(leftoverProcesses(mark, folder)).toEqual([])
  })

  it('rejects when there is no such program', async () => {
    await expect(runCommand(join(folder, 'absent'), [], { timeoutMs: 1000 })).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe.runIf(process.platform === 'linux')('leftoverProcesses', () => {
  it('finds what a command left behind by its environment', async () => {
    await runCommand('sh', ['-c', 'setsid sleep 300 >/dev/null 2>&1 &'], { timeoutMs: 5000, env })
    await expect.poll(() => leftoverProcesses(mark, folder).map((left) => left.command)).toEqual(['sleep 300'])
  })

  it('finds by its working folder what has lost the environment', async () => {
    const script = `cd ${folder} && setsid env -i sleep 301 >/dev/null 2>&1 &`
    await runCommand('sh', ['-c', script], { timeoutMs: 5000 })
    await expect.poll(() => leftoverProcesses(mark, folder).map((left) => left.command)).toContain('sleep 301')
  })
})
