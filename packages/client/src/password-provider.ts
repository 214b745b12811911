import { type Credential, type CredentialRequest, requestCredential } from './credential.ts'

export interface PasswordProviderOptions extends CredentialRequest {
  /** How long before its end a credential is renewed. Default: a quarter of its lifetime, five minutes at most. */
  readonly renewBeforeSeconds?: number
  /** Hears of renewals that failed while the credential in use still logs in. */
  readonly onRenewalFailure?: (error: unknown) => void
}

/**
 * Gives the password for a new session: the `password` of node-postgres, the `pass` of postgres.js.
 * @throws CredentialError when there is no credential that still logs in and none can be had
 */
export interface PasswordProvider {
  (): Promise<string>
  /** Renews in the background too, so that no session waits for it. The timer keeps no process alive. Returns what stops it. */
  startRenewing(): () => void
}

interface Kept {
  readonly token: string
  readonly renewAt: number
  readonly endsAt: number
}

/** The time of an answer is in whole seconds, and a login that begins at the very end is checked after it. */
const spareMs = 1500
/** After a failure, so that a control plane that comes back is not met by everybody at once. */
const retryMs = 2000

/**
 * Makes a password provider with a credential of its own: kept until near its end, renewed once however many sessions ask at the
 * same time, and at a moment that differs from process to process.
 */
export function passwordProvider(options: PasswordProviderOptions): PasswordProvider {
  let kept: Kept | undefined
  let inFlight: Promise<Kept> | undefined
  let retryAt = 0

  const renew = (): Promise<Kept> => {
    inFlight ??= requestCredential(options)
      .then((credential) => (kept = keep(credential, options)))
      .finally(() => (inFlight = undefined))
    return inFlight
  }

  const current = async (): Promise<Kept> => {
    const now = Date.now()
    if (kept !== undefined && now < kept.endsAt && (now < kept.renewAt || now < retryAt)) return kept
    try {
      return await renew()
    } catch (error) {
      if (kept === undefined || Date.now() >= kept.endsAt) throw error
      retryAt = Date.now() + retryMs * (0.5 + Math.random())
      options.onRenewalFailure?.(error)
      return kept
    }
  }

  const startRenewing = () => {
    let timer: ReturnType<typeof setTimeout> | undefined
    let isStopped = false
    const schedule = (delayMs: number) => {
      if (isStopped) return
      timer = setTimeout(() => void tick(), Math.max(0, delayMs))
      timer.unref()
    }
    const tick = async () => {
      try {
        const { renewAt } = await current()
        schedule(Math.max(renewAt, retryAt) - Date.now())
      } catch (error) {
        options.onRenewalFailure?.(error)
        schedule(retryMs * (0.5 + Math.random()))
      }
    }
    void tick()
    return () => {
      isStopped = true
      clearTimeout(timer)
    }
  }

  return Object.assign(async () => (await current()).token, { startRenewing })
}

function keep({ token, lifetimeMs }: Credential, { renewBeforeSeconds }: PasswordProviderOptions): Kept {
  const now = Date.now()
  const wishedMs = renewBeforeSeconds === undefined ? Math.min(lifetimeMs / 4, 300_000) : renewBeforeSeconds * 1000
  // Up to a fifth earlier, at random; and never so early that a credential would be asked for anew each time.
  const beforeMs = Math.min(wishedMs * (1 + Math.random() / 5), lifetimeMs / 2)
  return { token, renewAt: now + lifetimeMs - beforeMs, endsAt: now + lifetimeMs - spareMs }
}
