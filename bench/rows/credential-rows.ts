import { verifyDatabaseCredential } from '../../src/access/verify-credential.ts'
import { systemClock } from '../../src/base/clock.ts'
import { SigningKeys } from '../../src/keys/signing-keys.ts'
import type { Effort } from '../effort.ts'
import { cpuMs } from '../process-accounting.ts'
import { readMasterKey } from '../read-master-key.ts'
import { type Spread, spreadOf } from '../spread.ts'
import type { Stage } from '../stage.ts'

export interface CredentialFigures {
  /** CPU of one, in milliseconds. */
  readonly cpuMs: Spread
  readonly perSecond: Spread
}

const verificationsAtOnce = 5000
/** For each principal, which may ask 1,200 times a minute: warming up and five rounds stay below that. */
const mintsToWarmUp = 500
const mintsAtOnce = 130
const mintRoundsMax = 5

/** Verifies a real credential with the real keys, in this process, one after the other. */
export async function verify(stage: Stage, { rounds }: Effort): Promise<CredentialFigures> {
  const masterKey = readMasterKey(stage.postern)
  const signingKeys = await SigningKeys.load(stage.forge.store, masterKey, systemClock)
  const credential = stage.gateway.target.password ?? ''
  const once = async () => {
    const check = await verifyDatabaseCredential({ signingKeys, clock: systemClock }, credential)
    if (check.kind !== 'verified') throw new Error(`the credential is ${check.kind}`)
  }
  return measured(rounds, verificationsAtOnce, [process.pid], async () => {
    for (let done = 0; done < verificationsAtOnce; done++) await once()
  })
}

/** POST /api/2.0/database/credentials over HTTP, many principals at a time; CPU of the control plane's process. */
export async function mint(stage: Stage, { rounds }: Effort): Promise<CredentialFigures> {
  const mintEach = (times: number) =>
    Promise.all(
      stage.minters.map(async (minter) => {
        for (let done = 0; done < times; done++) await minter.mintCredential('bench')
      }),
    )
  // The process compiles for some thousands of them; one that serves people has done so long ago.
  await mintEach(mintsToWarmUp)
  const units = mintsAtOnce * stage.minters.length
  return measured(Math.min(rounds, mintRoundsMax), units, [stage.child('control')], () => mintEach(mintsAtOnce))
}

async function measured(
  rounds: number,
  units: number,
  pids: readonly number[],
  load: () => Promise<unknown>,
): Promise<CredentialFigures> {
  const cpu: number[] = []
  const perSecond: number[] = []
  // One round more than is counted: a fresh process still compiles.
  for (let round = 0; round <= rounds; round++) {
    const [before, startedAt] = [cpuMs(pids), performance.now()]
    await load()
    if (round === 0) continue
    cpu.push((cpuMs(pids) - before) / units)
    perSecond.push((units * 1000) / (performance.now() - startedAt))
  }
  return { cpuMs: spreadOf(cpu), perSecond: spreadOf(perSecond) }
}
