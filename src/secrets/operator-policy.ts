import { constants } from 'node:fs'
import { open, readlink, realpath, type FileHandle } from 'node:fs/promises'
import { isAbsolute, normalize } from 'node:path'
import { PosternError } from '../base/errors.ts'
import { Secret } from '../base/secret.ts'
import type { OperatorSource } from '../contract/secret-references.ts'
import type { z } from 'zod'

/**
 * What the operator of this node lets references use of it (design section 5, invariant 2). Everything is refused unless it is
 * listed, but for the addresses of secret managers: those are open, since nothing of the node's own is sent to them.
 */
export interface OperatorPolicy {
  /** Names of environment variables whose values references may use. */
  readonly environmentNames: readonly string[]
  /** The environment itself; read by name only. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Folders, absolute, whose files references may use. */
  readonly fileFolders: readonly string[]
  /** Origins of secret managers, such as `https://vault.corp.test:8200`; empty: any. */
  readonly storeOrigins: readonly string[]
  /** Names of secrets that the node's own cloud identity may read; `*` stands for any text. */
  readonly ambientSecretNames: readonly string[]
  /** ARNs of roles that the node's own cloud identity may assume; `*` stands for any text. */
  readonly ambientRoleArns: readonly string[]
  /** Database hosts, such as endpoints of RDS or connection names of Cloud SQL, that the node's own cloud identity may log in to; `*` stands for any text. */
  readonly ambientIamHosts: readonly string[]
  /** Where keys of Google service accounts are traded for tokens, beside Google's own addresses. */
  readonly googleTokenEndpoint: string | undefined
  /** What answers for the Cloud SQL Admin API; undefined: Google itself. */
  readonly cloudSqlAdminEndpoint: string | undefined
}

/** Nothing of the node may be used. */
export const CLOSED_POLICY: OperatorPolicy = {
  environmentNames: [],
  environment: {},
  fileFolders: [],
  storeOrigins: [],
  ambientSecretNames: [],
  ambientRoleArns: [],
  ambientIamHosts: [],
  googleTokenEndpoint: undefined,
  cloudSqlAdminEndpoint: undefined,
}

const MAX_FILE_BYTES = 64 * 1024

/**
 * A secret that stands in the reference, in an environment variable, or in a file; a final line end of a file is left out.
 * @throws PosternError SECRET_SOURCE_REFUSED when the operator has not listed it | SECRET_SOURCE_NOT_FOUND
 */
export async function readOperatorSource(
  source: z.infer<typeof OperatorSource>,
  policy: OperatorPolicy,
): Promise<Secret> {
  switch (source.from) {
    case 'literal':
      return new Secret(source.value)
    case 'environment':
      return readVariable(source.name, policy)
    case 'file':
      return readAllowedFile(source.path, policy)
  }
}

function readVariable(name: string, policy: OperatorPolicy): Secret {
  if (!policy.environmentNames.includes(name)) {
    throw refused(`the environment variable ${name} is not allowed to secret references`, 'secretEnvironmentNames')
  }
  const value = policy.environment[name]
  if (value === undefined || value === '') {
    throw new PosternError('SECRET_SOURCE_NOT_FOUND', `the environment variable ${name} is not set`, {
      hint: 'Start Postern with it.',
    })
  }
  return new Secret(value)
}

async function readAllowedFile(path: string, policy: OperatorPolicy): Promise<Secret> {
  const inAllowedFolder = (real: string) =>
    policy.fileFolders.some((folder) => real.startsWith(folder.endsWith('/') ? folder : `${folder}/`))
  // Said before the file is looked at: who asks learns nothing about files that he may not name.
  if (!isAbsolute(path) || !inAllowedFolder(normalize(path))) throw refusedFile()
  try {
    const real = await realpath(path)
    if (!inAllowedFolder(real)) throw refusedFile()
    // Not to wait for the writer of a pipe, and not to follow a link that was put there meanwhile.
    const file = await open(real, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW)
    try {
      // A folder on the way may have become a link too. Where the system does not tell what is open, it is looked up again.
      if (!inAllowedFolder(await readlink(`/proc/self/fd/${file.fd}`).catch(() => realpath(path)))) throw refusedFile()
      return await readOpenFile(file, path)
    } finally {
      await file.close()
    }
  } catch (thrown) {
    if (thrown instanceof PosternError) throw thrown
    throw new PosternError('SECRET_SOURCE_NOT_FOUND', `the file ${path} cannot be read`, {
      cause: thrown,
      hint: 'Check its path and mode; in a container it must be mounted.',
    })
  }
}

async function readOpenFile(file: FileHandle, path: string): Promise<Secret> {
  const stats = await file.stat()
  if (!stats.isFile()) throw new PosternError('SECRET_SOURCE_INVALID', `${path} is not a regular file`)
  if (stats.size > MAX_FILE_BYTES) {
    throw new PosternError('SECRET_SOURCE_INVALID', `the file ${path} is larger than ${MAX_FILE_BYTES} bytes`)
  }
  return new Secret((await file.readFile('utf8')).replace(/\r?\n$/, ''))
}

function refusedFile(): PosternError {
  return refused('this file is not allowed to secret references', 'secretFileDirs')
}

/** @throws PosternError SECRET_SOURCE_REFUSED when the operator lists origins and this is none of them */
export function requireStoreOrigin(url: URL, policy: OperatorPolicy): void {
  if (policy.storeOrigins.length === 0 || policy.storeOrigins.includes(url.origin)) return
  throw refused(`secrets may not be fetched from ${url.origin}`, 'secretStoreOrigins')
}

/** @throws PosternError SECRET_SOURCE_REFUSED unless the operator lists the name for the node's own cloud identity */
export function requireAmbientSecret(name: string, policy: OperatorPolicy): void {
  if (policy.ambientSecretNames.some((pattern) => matches(pattern, name))) return
  throw refused(`the cloud identity of this node may not be used to read the secret ${name}`, 'ambientSecretNames')
}

/**
 * The node's own cloud identity is shown to the cloud alone: an address that somebody entered would be handed what it may do.
 * @throws PosternError SECRET_SOURCE_REFUSED when the reference names an address
 */
export function refuseForeignEndpoint(endpoint: string | undefined): void {
  if (endpoint === undefined) return
  throw new PosternError(
    'SECRET_SOURCE_REFUSED',
    'the cloud identity of this node is not sent to an address that a secret reference names',
    { hint: 'Leave the endpoint out, or give credentials of their own with the reference.' },
  )
}

/** @throws PosternError SECRET_SOURCE_REFUSED unless the operator lists the role for the node's own cloud identity */
export function requireAmbientRole(roleArn: string, policy: OperatorPolicy): void {
  if (policy.ambientRoleArns.some((pattern) => matches(pattern, roleArn))) return
  throw refused(`the cloud identity of this node may not be used to assume ${roleArn}`, 'ambientRoleArns')
}

/** @throws PosternError SECRET_SOURCE_REFUSED unless the operator lists the host for the node's own cloud identity */
export function requireAmbientIamHost(host: string, policy: OperatorPolicy): void {
  if (policy.ambientIamHosts.some((pattern) => matches(pattern.toLowerCase(), host.toLowerCase()))) return
  throw refused(`the cloud identity of this node may not be used to log in to ${host}`, 'ambientIamHosts')
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text)
}

function refused(message: string, option: string): PosternError {
  return new PosternError('SECRET_SOURCE_REFUSED', message, {
    hint: `The operator of Postern can allow it with the option ${option}.`,
  })
}
