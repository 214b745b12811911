import { setTimeout as sleep } from 'node:timers/promises'
import { Instance, type InstanceState } from '../contract/instances.ts'
import { path, type ApiClient } from './api-client.ts'
import type { Cli } from './cli.ts'
import { CliError } from './cli-error.ts'

const pollIntervalMs = 250
const longestWaitMs = 10 * 60 * 1000

/**
 * Waits until an instance is in `wanted`, showing each state on the way. Ctrl-C ends the waiting, not the work.
 * @throws CliError upstream when it ends as FAILED, interrupted on Ctrl-C, limit after ten minutes
 */
export async function waitForInstance(
  cli: Cli,
  api: ApiClient,
  name: string,
  wanted: InstanceState,
): Promise<Instance> {
  const again = `\`postern instance get ${name}\` shows how it goes on.`
  const interrupted = new AbortController()
  const stopListening = cli.terminal.onInterrupt(() => interrupted.abort())
  const startedAt = cli.clock.now().getTime()
  let shown: InstanceState | undefined
  try {
    for (;;) {
      const instance = await api.call({ method: 'GET', path: path`/v1/instances/${name}`, answer: Instance })
      const elapsedMs = cli.clock.now().getTime() - startedAt
      if (instance.state !== shown) cli.terminal.note(`${name}: ${instance.state} (${(elapsedMs / 1000).toFixed(1)} s)`)
      shown = instance.state
      if (instance.state === wanted) return instance
      if (instance.state === 'FAILED') {
        const reason = instance.stateReason ?? 'the server gave no reason'
        throw new CliError('upstream', `instance ${name} is FAILED: ${reason}`, {
          hint: 'Correct the reason, or delete it.',
        })
      }
      if (elapsedMs > longestWaitMs) {
        throw new CliError('limit', `instance ${name} is still ${instance.state} after ten minutes`, { hint: again })
      }
      // An interrupted pause rejects; the next line tells why.
      await sleep(pollIntervalMs, undefined, { signal: interrupted.signal }).catch(() => undefined)
      if (interrupted.signal.aborted) {
        throw new CliError('interrupted', `stopped waiting; instance ${name} goes on by itself`, { hint: again })
      }
    }
  } finally {
    stopListening()
  }
}
