import { openDataSourceSecrets, routeOf } from '../access/data-source-secrets.ts'
import { PosternError } from '../base/errors.ts'
import { newUuid, type DataSourceId, type InstanceId, type WorkspaceId } from '../base/ids.ts'
import { Secret } from '../base/secret.ts'
import type { DataSourcePatch, ExternalSecretField } from '../contract/data-sources.ts'
import { ENGINE_CAPABILITIES, type EngineName } from '../contract/engines.ts'
import { understandFields } from '../contract/understand-fields.ts'
import { PLAIN_ROUTE, type DataSourceRoute } from '../dialer/data-source-route.ts'
import type { DataSourceSecrets, PublicReference, SecretField } from '../dialer/data-source-secrets.ts'
import { destinationFingerprint } from '../dialer/destination-fingerprint.ts'
import type { DataSourceRow, NewDataSource } from '../store/data-sources.ts'
import type { StoredSshHop } from '../store/schema.ts'
import { checkDataSource } from './check-data-source.ts'
import { draftSshHops, type DraftedHops } from './draft-ssh-hops.ts'
import { readEnteredSecrets } from './entered-secrets.ts'
import type { InstanceDependencies } from './instance-dependencies.ts'
import { secretFieldsOf } from './secret-fields.ts'

/** A data source as it would be after a change, complete with its secrets: ready to be tested and then stored. */
export interface DataSourceDraft {
  readonly source: NewDataSource & { readonly engine: EngineName }
  readonly route: DataSourceRoute
  readonly secrets: DataSourceSecrets
  /** Secrets that came with the change, by their fields. */
  readonly entered: readonly SecretField[]
  /** The data source as it is stored; absent for a new one. */
  readonly before: DataSourceRow | undefined
  /** It leads to another place, user or TLS setting than before. */
  readonly hasMoved: boolean
  /** Something of it changes that a connection test could show. */
  readonly needsTest: boolean
}

/** Which data source is meant. */
export type DraftBase =
  | { readonly before: DataSourceRow }
  | {
      readonly before?: undefined
      readonly engine: EngineName
      readonly instanceId: InstanceId
      readonly name: string
      readonly type: 'admin' | 'read_only'
    }

/** Port of the engines that have none of their own: they are reached by HTTPS. */
const HTTPS_PORT = 443

const PLAIN_SECRETS = [
  'password',
  'privateKey',
  'privateKeyPassphrase',
  'accessToken',
  'serviceAccount',
  'awsCredentials',
  'azureClientSecret',
  'tlsClientKey',
] as const satisfies readonly SecretField[]

/** A passphrase belongs to one key: with another key, the stored one is of no use. */
const PASSPHRASE_OF = /^(privateKeyPassphrase|(ssh\.\d\.)passphrase)$/

/**
 * Applies a change to a data source, or makes a new one of it. Stored secrets are taken along only when the data source still
 * leads to the very same destination: whoever moves it must know them.
 *
 * @throws PosternError INVALID_ARGUMENT naming the field | SECRET_REQUIRED naming the secrets | SECRET_UNREADABLE
 */
export async function draftDataSource(
  deps: InstanceDependencies,
  workspaceId: WorkspaceId,
  base: DraftBase,
  patch: DataSourcePatch,
): Promise<DataSourceDraft> {
  const { before } = base
  const start = before ?? newSource(base)
  const hops = await draftSshHops(deps, workspaceId, before?.ssh ?? [], patch.ssh)
  const plain = patched(start, patch)
  const { secrets: entered, references } = readEnteredSecrets(patch, { ...enteredSecrets(patch), ...hops.entered })
  const unreferenced = {
    ...plain,
    fields: understandFields(plain.engine, plain.fields),
    ssh: hops.hops.map((hop, index) => withoutForeignHalf(hop, references[`ssh.${index}.privateKey`])),
    ...(references.username !== undefined && { username: '' }),
    secretReferences: {},
  }
  requireUseful(entered, unreferenced, hops)
  const kept = before === undefined ? [] : keptFields(before, unreferenced, patch, entered)
  const source = { ...unreferenced, secretReferences: { ...ofFields(start.secretReferences, kept), ...references } }
  const route = routeOf(source)
  const hasMoved = before !== undefined && destinationFingerprint(route) !== destinationFingerprint(routeOf(before))
  const stored = before === undefined ? {} : await openKept(deps, before, kept, hasMoved && route)
  const secrets = { ...stored, ...entered, ...hops.generated }
  await checkDataSource(deps, route, secrets)
  const fields = Object.keys(entered) as SecretField[]
  return {
    source,
    route,
    secrets,
    entered: fields,
    before,
    hasMoved,
    needsTest:
      before === undefined ||
      fields.length > 0 ||
      PLAIN_SECRETS.some((field) => patch[field] === null) ||
      JSON.stringify(route) !== JSON.stringify(routeOf(before)),
  }
}

function newSource(base: Exclude<DraftBase, { before: DataSourceRow }>): DataSourceDraft['source'] {
  return {
    ...PLAIN_ROUTE,
    id: newUuid<DataSourceId>(),
    instanceId: base.instanceId,
    engine: base.engine,
    name: base.name,
    type: base.type,
    ...defaultsOf(base.engine),
    tested: false,
  }
}

function defaultsOf(engine: EngineName) {
  const { defaultPort, defaultDatabase, loginMethods } = ENGINE_CAPABILITIES[engine]
  return {
    title: '',
    weight: 1,
    host: '',
    port: defaultPort ?? HTTPS_PORT,
    database: defaultDatabase,
    username: '',
    loginMethod: loginMethods[0]!,
    tlsMode: 'verify-full' as const,
    ...PLAIN_ROUTE,
  }
}

const PLAIN_FIELDS = [
  'title',
  'weight',
  'host',
  'port',
  'database',
  'username',
  'loginMethod',
  'tlsMode',
  'tlsCa',
  'tlsClientCertificate',
  'tlsFiles',
  'fields',
  'extraParameters',
] as const

function patched(start: DataSourceDraft['source'], patch: DataSourcePatch): DataSourceDraft['source'] {
  const defaults = defaultsOf(start.engine)
  const changes = PLAIN_FIELDS.filter((field) => patch[field] !== undefined).map(
    (field) => [field, patch[field] ?? defaults[field]] as const,
  )
  return { ...start, ...(Object.fromEntries(changes) as Partial<DataSourceDraft['source']>) }
}

function enteredSecrets(patch: DataSourcePatch): DataSourceSecrets {
  return Object.fromEntries(
    PLAIN_SECRETS.flatMap((field) => {
      const value = patch[field]
      return typeof value === 'string' ? [[field, new Secret(value)]] : []
    }),
  )
}

function requireUseful(entered: DataSourceSecrets, route: DataSourceRoute, { generated }: DraftedHops): void {
  const useful = secretFieldsOf(route).filter((field) => {
    const hop = /^ssh\.(\d)\.(?:privateKey|passphrase)$/.exec(field)
    return hop === null || generated[`ssh.${Number(hop[1])}.privateKey`] === undefined
  })
  const stray = (Object.keys(entered) as SecretField[]).find((field) => !useful.includes(field))
  if (stray === undefined) return
  throw new PosternError('INVALID_ARGUMENT', `${stray} has no effect on this data source: leave it out`, {
    detail: { field: stray },
  })
}

/** The stored secrets that stay: not entered anew, not removed, and still of use. */
function keptFields(
  before: DataSourceRow,
  route: DataSourceRoute,
  patch: DataSourcePatch,
  entered: DataSourceSecrets,
): readonly SecretField[] {
  return secretFieldsOf(route).filter((field) => {
    if (before.sealedSecrets[field] === undefined || entered[field] !== undefined) return false
    if (isRemoved(before, field, patch)) return false
    if (isOfGeneratedKey(before, field)) return false
    const passphrase = PASSPHRASE_OF.exec(field)
    return passphrase === null || entered[`${passphrase[2] ?? ''}privateKey` as SecretField] === undefined
  })
}

function isRemoved(before: DataSourceRow, field: SecretField, patch: DataSourcePatch): boolean {
  // A user name that is entered takes the place of one that a manager gave.
  if (field === 'username') return Boolean(patch.username) || isUnreferenced(before, field, patch)
  return patch[field as keyof DataSourcePatch] === null || isUnreferenced(before, field, patch)
}

function isUnreferenced(before: DataSourceRow, field: SecretField, { externalSecrets }: DataSourcePatch): boolean {
  if (before.secretReferences[field] === undefined) return false
  return externalSecrets === null || externalSecrets?.[field as ExternalSecretField] === null
}

/** Opens the stored secrets that stay, which they may only for the same destination. */
async function openKept(
  deps: InstanceDependencies,
  before: DataSourceRow,
  kept: readonly SecretField[],
  movedTo: DataSourceRoute | false,
): Promise<DataSourceSecrets> {
  if (kept.length === 0) return {}
  if (movedTo) {
    const hasManager = [before, movedTo].some((each) => Object.keys(each.secretReferences).length > 0)
    const setting = hasManager ? 'TLS, SSH setting or secret manager' : 'TLS or SSH setting'
    throw new PosternError(
      'SECRET_REQUIRED',
      `Data source '${before.name}' leads to another place, user, ${setting} than before: enter its ${kept.join(', ')} again`,
      { detail: { fields: kept } },
    )
  }
  return ofFields(await openDataSourceSecrets(deps, before), kept)
}

function ofFields<T>(
  all: Readonly<Partial<Record<SecretField, T>>>,
  fields: readonly SecretField[],
): Partial<Record<SecretField, T>> {
  return Object.fromEntries(fields.flatMap((field) => (all[field] === undefined ? [] : [[field, all[field]]])))
}

/** The public half of the key that was there before says nothing of one that lives elsewhere. */
function withoutForeignHalf(hop: StoredSshHop, reference: PublicReference | undefined): StoredSshHop {
  if (reference === undefined) return hop
  const { publicKey: _, ...rest } = hop
  return rest
}

/** The private half of a generated key pair comes from the key pair itself, wherever the data source leads. */
function isOfGeneratedKey(before: DataSourceRow, field: SecretField): boolean {
  const hop = /^ssh\.(\d)\.(?:privateKey|passphrase)$/.exec(field)
  return hop !== null && before.ssh[Number(hop[1])]?.generatedKeyId !== undefined
}
