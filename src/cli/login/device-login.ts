import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { Secret } from '../../base/secret.ts'
import type { Cli } from '../cli.ts'
import { CliError } from '../cli-error.ts'
import type { Endpoint } from '../endpoint.ts'
import { printable } from '../printable.ts'
import { CLIENT_ID, grantByDeviceCode, postForm, SIGN_IN_SCOPE, type Grant } from '../token-endpoint.ts'

const DeviceAnswer = z.object({
  device_code: z.string().min(1),
  user_code: z.string().min(1),
  verification_uri: z.string(),
  verification_uri_complete: z.string().optional(),
  expires_in: z.number().positive(),
  /** Seconds between two questions. */
  interval: z.number().positive().default(5),
})

/** By how much a server that says `slow_down` is asked less often. */
const slowDownMs = 5000

/**
 * Signs a person in who has a browser elsewhere: the code shown here is confirmed there.
 * @see RFC 8628
 */
export async function logInWithDevice(cli: Cli, endpoint: Endpoint): Promise<Grant> {
  const form = { client_id: CLIENT_ID, scope: SIGN_IN_SCOPE }
  const device = await postForm(endpoint, '/oidc/v1/device/authorize', form, DeviceAnswer)
  cli.terminal.note(`Sign in with any browser at:\n\n  ${printable(device.verification_uri)}\n`)
  cli.terminal.note(`and enter this code: ${printable(device.user_code)}\n`)
  const interrupted = new AbortController()
  const stopListening = cli.terminal.onInterrupt(() => interrupted.abort())
  const deadline = cli.clock.now().getTime() + device.expires_in * 1000
  let intervalMs = device.interval * 1000
  try {
    for (;;) {
      // An interrupted pause rejects; the next line tells why.
      await sleep(intervalMs, undefined, { signal: interrupted.signal }).catch(() => undefined)
      if (interrupted.signal.aborted) throw new CliError('interrupted', 'interrupted')
      if (cli.clock.now().getTime() > deadline) throw expired()
      const answer = await ask(cli, endpoint, new Secret(device.device_code))
      if (answer === 'slow_down') intervalMs += slowDownMs
      else if (answer !== 'authorization_pending') return answer
    }
  } finally {
    stopListening()
  }
}

async function ask(
  { clock }: Cli,
  endpoint: Endpoint,
  deviceCode: Secret,
): Promise<Grant | 'authorization_pending' | 'slow_down'> {
  try {
    return await grantByDeviceCode({ endpoint, clock }, deviceCode)
  } catch (thrown) {
    if (!(thrown instanceof CliError)) throw thrown
    const { code } = thrown
    if (code === 'authorization_pending' || code === 'slow_down') return code
    // Section 3.5: a passing failure of the way is no answer.
    if (thrown.failure === 'unreachable') return 'slow_down'
    if (code === 'expired_token') throw expired(thrown)
    if (code === 'access_denied') {
      throw new CliError('denied', 'the sign-in was refused in the browser', { code, cause: thrown })
    }
    throw thrown
  }
}

function expired(cause?: unknown): CliError {
  return new CliError('limit', 'nobody confirmed the code in time', {
    hint: 'Run `postern login --device` again.',
    cause,
  })
}
