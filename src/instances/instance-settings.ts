import { checkPostgresRoleName } from '../access/postgres-role-name.ts'
import { PosternError } from '../base/errors.ts'
import { ENGINE_CAPABILITIES, type EngineName, type ManageMode } from '../contract/engines.ts'
import type { UpdateInstanceInput } from '../contract/instances.ts'
import type { InstanceChange } from '../store/instances.ts'

type LoginSettings = Pick<
  UpdateInstanceInput,
  'nativeLoginEnabled' | 'nativeLoginRoles' | 'accessTokenLoginEnabled' | 'endSessionsOnRevocation'
>

type Settings = Pick<
  UpdateInstanceInput,
  | 'title'
  | 'environment'
  | 'labels'
  | 'externalLink'
  | 'manageMode'
  | 'syncIntervalSeconds'
  | 'syncDatabases'
  | keyof LoginSettings
>

/**
 * The columns of an instance that its settings change. Null is the default; what is absent stays.
 * @throws PosternError INVALID_ARGUMENT for a setting that the engine cannot honour
 */
export function settingsChange(engine: EngineName, input: Settings): InstanceChange {
  const { title, environment, labels, externalLink, manageMode, syncIntervalSeconds, syncDatabases } = input
  return {
    ...(title !== undefined && { title: title ?? '' }),
    ...(environment !== undefined && { environment }),
    ...(labels !== undefined && { labels: labels ?? {} }),
    ...(externalLink !== undefined && { externalLink }),
    ...(manageMode !== undefined && { manageMode: manageModeOf(engine, manageMode) }),
    ...(syncIntervalSeconds !== undefined && { syncIntervalSeconds }),
    ...(syncDatabases !== undefined && { syncDatabases }),
    ...loginSettingsChange(engine, input),
  }
}

/** @throws PosternError INVALID_ARGUMENT where nobody logs in, or for a Postgres role that is Postern's own */
function loginSettingsChange(engine: EngineName, input: LoginSettings): InstanceChange {
  const { nativeLoginEnabled, nativeLoginRoles, accessTokenLoginEnabled, endSessionsOnRevocation } = input
  const wanted = { nativeLoginEnabled, nativeLoginRoles, accessTokenLoginEnabled, endSessionsOnRevocation }
  const { gateway, title } = ENGINE_CAPABILITIES[engine]
  for (const [field, value] of Object.entries(wanted)) {
    const isOn = Array.isArray(value) ? value.length > 0 : value === true
    if (isOn && !gateway) throw invalid(field, `means nothing to ${title}: nobody logs in there`)
  }
  for (const roleName of nativeLoginRoles ?? []) checkNativeLoginRole(roleName)
  return {
    ...(nativeLoginEnabled !== undefined && { nativeLoginEnabled }),
    ...(nativeLoginRoles !== undefined && { nativeLoginRoles: [...new Set(nativeLoginRoles)] }),
    ...(accessTokenLoginEnabled !== undefined && { accessTokenLoginEnabled }),
    ...(endSessionsOnRevocation !== undefined && { endSessionsOnRevocation }),
  }
}

/** Roles with a meaning of Postern's own can never be meant. */
function checkNativeLoginRole(roleName: string): void {
  try {
    checkPostgresRoleName(roleName)
  } catch (cause) {
    throw new PosternError('INVALID_ARGUMENT', `nativeLoginRoles: '${roleName}' cannot log in by password`, {
      cause,
      hint: 'Name Postgres roles of the database itself, as they are spelled there.',
      detail: { field: 'nativeLoginRoles' },
    })
  }
}

/**
 * The manage mode that is meant: the engine's first one where nothing is said, null where the engine has none.
 * @throws PosternError INVALID_ARGUMENT
 */
export function manageModeOf(engine: EngineName, wanted: ManageMode | null | undefined): ManageMode | null {
  const { manageModes, title } = ENGINE_CAPABILITIES[engine]
  const [first] = manageModes
  if (wanted === null || wanted === undefined) return first ?? null
  if (manageModes.includes(wanted)) return wanted
  throw invalid('manageMode', `means nothing to ${title}: its databases are simply databases`)
}

function invalid(field: string, reason: string): PosternError {
  return new PosternError('INVALID_ARGUMENT', `${field} ${reason}`, { detail: { field } })
}
