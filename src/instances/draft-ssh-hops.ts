import { PosternError } from '../base/errors.ts'
import type { WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourcePatch, SshHopInput } from '../contract/data-sources.ts'
import type { DataSourceSecrets } from '../dialer/data-source-secrets.ts'
import { describePrivateKey } from '../dialer/ssh/describe-private-key.ts'
import type { StoredSshHop } from '../store/schema.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { openSshKey } from './ssh-keys.ts'

/** The SSH servers of a data source after a change, and the secrets that came with it. */
export interface DraftedHops {
  readonly hops: readonly StoredSshHop[]
  readonly entered: DataSourceSecrets
  /** Private halves of generated key pairs. */
  readonly generated: DataSourceSecrets
}

/**
 * Applies a change to the SSH servers of a data source. A hop at the same place and address as before keeps its pinned host
 * key unless another one is named.
 *
 * @throws PosternError INVALID_ARGUMENT naming the field | SECRET_UNREADABLE
 */
export async function draftSshHops(
  deps: InstanceDependencies,
  workspaceId: WorkspaceId,
  before: readonly StoredSshHop[],
  inputs: DataSourcePatch['ssh'],
): Promise<DraftedHops> {
  if (inputs === undefined)
    return { hops: before, entered: {}, generated: await generatedKeys(deps, workspaceId, before) }
  const hops = (inputs ?? []).map((input, index) => hopOf(input, index, before[index]))
  const generated = await generatedKeys(deps, workspaceId, hops)
  const publicKeys = await Promise.all(
    hops.map(async ({ generatedKeyId }) =>
      generatedKeyId === undefined ? undefined : (await openSshKey(deps, workspaceId, generatedKeyId)).publicKey,
    ),
  )
  return {
    hops: hops.map((hop, index) => withPublicKey(hop, publicKeys[index] ?? publicHalf(inputs?.[index], hop))),
    entered: Object.assign({}, ...(inputs ?? []).map(enteredSecrets)) as DataSourceSecrets,
    generated,
  }
}

function hopOf(input: SshHopInput, index: number, before: StoredSshHop | undefined): StoredSshHop {
  const { host, port, username, auth, hostKey, generatedKeyId } = input
  requireFitting(input, index)
  const isSameServer = before?.host === host && before.port === port
  const isSameKey = auth === 'private_key' && input.privateKey === undefined && before?.auth === auth
  return {
    host,
    port,
    username,
    auth,
    hostKey: hostKey === undefined && isSameServer ? before.hostKey : (hostKey ?? null),
    ...(generatedKeyId !== undefined && { generatedKeyId }),
    ...(isSameKey && before.publicKey !== undefined && { publicKey: before.publicKey }),
  }
}

/** What the way to log in does not use is refused, never ignored. */
function requireFitting(input: SshHopInput, index: number): void {
  const refused = (
    input.auth === 'password'
      ? (['privateKey', 'passphrase', 'generatedKeyId'] as const)
      : input.generatedKeyId === undefined
        ? (['password'] as const)
        : (['password', 'privateKey', 'passphrase'] as const)
  ).find((field) => input[field] !== undefined)
  if (refused === undefined) return
  const way = input.generatedKeyId !== undefined && input.auth === 'private_key' ? 'a generated key pair' : input.auth
  throw new PosternError('INVALID_ARGUMENT', `ssh.${index}.${refused} has no effect with ${way}: leave it out`, {
    detail: { field: `ssh.${index}.${refused}` },
  })
}

async function generatedKeys(
  deps: InstanceDependencies,
  workspaceId: WorkspaceId,
  hops: readonly StoredSshHop[],
): Promise<DataSourceSecrets> {
  const found = await Promise.all(
    hops.map(async ({ generatedKeyId }, index) =>
      generatedKeyId === undefined
        ? []
        : [[`ssh.${index}.privateKey`, (await openSshKey(deps, workspaceId, generatedKeyId)).privateKey] as const],
    ),
  )
  return Object.fromEntries(found.flat())
}

function enteredSecrets(input: SshHopInput, index: number): DataSourceSecrets {
  const fields = ['password', 'privateKey', 'passphrase'] as const
  return Object.fromEntries(
    fields.flatMap((field) => {
      const value = input[field]
      return value === undefined ? [] : [[`ssh.${index}.${field}`, new Secret(value)]]
    }),
  )
}

/** The public half of a key that was entered; a key that cannot be read is explained by the connection test. */
function publicHalf(input: SshHopInput | undefined, hop: StoredSshHop): string | undefined {
  if (input?.privateKey === undefined) return hop.publicKey
  try {
    const passphrase = input.passphrase === undefined ? undefined : new Secret(input.passphrase)
    return describePrivateKey(new Secret(input.privateKey), passphrase).publicKey
  } catch (thrown) {
    if (thrown instanceof PosternError && thrown.code === 'UPSTREAM_SSH_KEY_UNREADABLE') return undefined
    throw thrown
  }
}

function withPublicKey(hop: StoredSshHop, publicKey: string | undefined): StoredSshHop {
  return publicKey === undefined ? hop : { ...hop, publicKey }
}
