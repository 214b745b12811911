import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntilAccepting } from '../accepting.ts'
import { startChildProgram } from '../child-program.ts'
import type { SessionTarget } from '../client-session.ts'
import { type InterleavedFigures, interleave } from '../interleaved.ts'
import type { Effort } from '../effort.ts'
import { residentKib } from '../process-accounting.ts'
import { type Spread, spreadOf } from '../spread.ts'
import type { Stage } from '../stage.ts'

export interface IdleFigures {
  readonly sessions: number
  readonly bytesPerSession: Readonly<Record<string, Spread>>
}

/** Sessions of one measurement, and before the first one: just-in-time compilers need some. */
const loginsAtOnce = 2000
/** What was freed goes back to the operating system in steps. */
const settleMs = 6_000
/** The supervisor starts a worker again after 200 ms; before that the old one's port may seem to be there still. */
const restartMs = 500

/** Logins against an upstream that answers at once: what the gateway itself does. */
export async function fakeLogins(stage: Stage, { rounds }: Effort): Promise<InterleavedFigures> {
  await openAndClose(stage.fake.plain, loginsAtOnce)
  return await interleave('login', rounds, [stage.gateway], async () => {
    const startedAt = performance.now()
    await openAndClose(stage.fake.plain, loginsAtOnce)
    return { units: loginsAtOnce, seconds: (performance.now() - startedAt) / 1000 }
  })
}

/** What an idle session adds to the resident memory of a fresh process that has served sessions before. */
export async function idleMemory(stage: Stage, { sessions, rounds }: Effort): Promise<IdleFigures> {
  const weighed: Record<string, number[]> = {}
  const note = (name: string, bytes: number) => (weighed[name] ??= []).push(bytes)
  for (let round = 0; round < Math.min(rounds, 2); round++) {
    for (const name of ['plain', 'tls'] as const) {
      const pid = await freshGateway(stage)
      note(`gateway, ${name} upstream`, await weigh(pid, stage.fake[name], sessions))
    }
  }
  const bytesPerSession = Object.fromEntries(Object.entries(weighed).map(([name, each]) => [name, spreadOf(each)]))
  return { sessions, bytesPerSession }
}

async function weigh(pid: number, target: SessionTarget, sessions: number): Promise<number> {
  await openAndClose(target, Math.ceil(sessions / 5))
  await sleep(settleMs)
  const before = residentKib([pid])
  const client = await startChildProgram('session-client.ts', { ...target, sessions, stay: true })
  await sleep(settleMs)
  const after = residentKib([pid])
  await client.stop()
  return ((after - before) * 1024) / sessions
}

async function openAndClose(target: SessionTarget, sessions: number): Promise<void> {
  const client = await startChildProgram('session-client.ts', { ...target, sessions, stay: false })
  await client.stop()
}

/** Kills the worker; the supervisor starts another, which has freed nothing yet that could be used again. */
async function freshGateway(stage: Stage): Promise<number> {
  const old = stage.child('gateway')
  process.kill(old, 'SIGKILL')
  await sleep(restartMs)
  await waitUntilAccepting(stage.fake.plain.port)
  return stage.child('gateway')
}
