import { hash, verify } from '@node-rs/argon2'
import { PosternError } from '../base/errors.ts'
import type { Secret } from '../base/secret.ts'

/** OWASP Password Storage Cheat Sheet, argon2id: 19 MiB, 2 passes, 1 lane. argon2id and 32 bytes are the library's defaults. */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const
/** So many at once: each takes a thread of the pool that DNS and files also use. */
const CONCURRENCY = 2
/** So many may wait: about two seconds of work, after which a caller has given up anyway. */
const QUEUE_MAX = 64

/** Hash of a random text that nobody kept, made with {@link COST}: what an unknown user's password is compared with. */
const nobodysHash = '$argon2id$v=19$m=19456,t=2,p=1$U7Gvp+UrTO3s1RptUq9yBg$Y/EihT6LMnb1L9yWcWji4qoBCumelKbQ9PnI+mZ7Mko'

// One queue for the whole process, because the thread pool that it protects is one for the whole process.
let running = 0
const waiting: (() => void)[] = []

/**
 * Hashes a person's password with argon2id, off the main loop.
 * @returns PHC text, `$argon2id$v=19$…`
 * @throws PosternError RATE_LIMITED when too many hashes wait already
 */
export function hashPassword(password: Secret): Promise<string> {
  return inTurn(() => hash(password.reveal(), COST))
}

/**
 * Compares a password with a stored hash.
 * @param stored null for a user who does not exist or has no password: answers false, after the same work
 * @throws PosternError RATE_LIMITED when too many hashes wait already
 */
export async function verifyPassword(stored: string | null, password: Secret): Promise<boolean> {
  const matches = await inTurn(() => verify(stored ?? nobodysHash, password.reveal()))
  return stored !== null && matches
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (running < CONCURRENCY) running++
  else if (waiting.length < QUEUE_MAX) await new Promise<void>((resolve) => waiting.push(resolve))
  else throw new PosternError('RATE_LIMITED', 'Too many sign-ins at the same time')
  try {
    return await work()
  } finally {
    // The place is handed over rather than freed, so that nobody who comes later overtakes.
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
}
